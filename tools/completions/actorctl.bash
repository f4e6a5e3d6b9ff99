# SPDX-License-Identifier: MIT
# bash completion of actorctl: commands and options as the tool lists them, names and handlers as the
# node does. What the node says is a name, never a word of the shell: it is not expanded.

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

_actorctl_offer() { # the lines that begin with the word
	local line
	while IFS= read -r line; do
		[[ $line == "$1"* ]] && COMPREPLY+=("$(printf %q "$line")")
	done
}

_actorctl() {
	local word=${COMP_WORDS[COMP_CWORD]} tool=${COMP_WORDS[0]} i
	local -a words=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--control | --redis | --node | --timeout) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	[[ ${words[0]-} == help ]] && words=("${words[@]:1}")
	if [[ $word == -* ]]; then
		_actorctl_offer "$word" < <("$tool" --help "${words[@]:0:2}" 2>/dev/null |
			grep -o -- '--[a-z][a-z-]*' | sort -u)
		return
	fi
	case ${words[0]-},${#words[@]} in
	,0)
		_actorctl_offer "$word" < <("$tool" --commands | cut -d' ' -f1 | sort -u)
		;;
	inspect,1 | stop,1 | call,1 | send,1 | trace,1)
		_actorctl_offer "$word" < <(_actorctl_ask ps | _actorctl_names)
		;;
	log,1)
		_actorctl_offer "$word" < <(echo level; _actorctl_ask ps | _actorctl_names)
		;;
	call,2 | send,2)
		_actorctl_offer "$word" < <(_actorctl_ask inspect "${words[1]}" |
			sed 's/.*"handlers"://' | _actorctl_names)
		;;
	patch,1 | var,1 | crash,1 | dead,1)
		_actorctl_offer "$word" < <("$tool" --commands | sed -n "s/^${words[0]} //p")
		;;
	patch,2 | crash,2)
		case ${words[1]} in
		show | revert | wait | lift)
			_actorctl_offer "$word" < <(_actorctl_ask "${words[0]}" list |
				grep -o '"number":[0-9]*' | cut -d: -f2)
			;;
		*) COMPREPLY=($(compgen -f -- "$word")) ;;
		esac
		;;
	*)
		COMPREPLY=($(compgen -f -- "$word"))
		;;
	esac
}
complete -F _actorctl actorctl
