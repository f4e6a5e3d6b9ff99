# SPDX-License-Identifier: MIT
# bash completion of actorctl: commands as the tool lists them, names and handlers as the node does.

_actorctl_ask() {
	local tool=${COMP_WORDS[0]} i
	local -a options=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--control | --redis | --node) options+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
		esac
	done
	"$tool" "${options[@]}" --timeout 500 --json "$@" 2>/dev/null
}

_actorctl_names() { # names of a JSON answer, one an object
	grep -o '"name":"[^"\\]*"' | cut -d'"' -f4
}

_actorctl() {
	local word=${COMP_WORDS[COMP_CWORD]} i
	local -a words=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--control | --redis | --node | --timeout) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case ${words[0]-},${#words[@]} in
	,0)
		if [[ $word == -* ]]; then
			COMPREPLY=($(compgen -W "--control --redis --node --json --timeout --version --help" -- "$word"))
		else
			COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --commands | cut -d' ' -f1)" -- "$word"))
		fi
		;;
	inspect,1 | log,1 | stop,1 | call,1 | send,1 | trace,1)
		COMPREPLY=($(compgen -W "$(_actorctl_ask ps | _actorctl_names)" -- "$word"))
		;;
	call,2 | send,2)
		COMPREPLY=($(compgen -W "$(_actorctl_ask inspect "${words[1]}" |
			sed 's/.*"handlers"://' | _actorctl_names)" -- "$word"))
		;;
	patch,1 | var,1)
		COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --commands |
			sed -n "s/^${words[0]} //p")" -- "$word"))
		;;
	*)
		COMPREPLY=($(compgen -f -- "$word"))
		;;
	esac
}
complete -F _actorctl actorctl
