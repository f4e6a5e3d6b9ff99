// SPDX-License-Identifier: MIT
// page.js: the node live, and the login. The arena is in arena.js.
import { Client } from "/actord.js";
import { Arena } from "/arena.js";

const $ = id => document.getElementById(id);
const EVERY_MS = 1000, PATIENCE_MS = 4000, PLACES = 60;
const saved = key => { try { return localStorage.getItem(key); } catch { return null; } };
const save = (key, text) => { try { localStorage.setItem(key, text); } catch { /* private */ } };

// --- the connection -------------------------------------------------------------------------

let node, arena, state, said;           // of the connection: said in words

function guest() {
	return "guest-" + Math.random().toString(36).slice(2, 8);
}

function connect(user, proof) {
	node = new Client({ user, proof, onstate(is, reason) {
		state = is;
		said = { ready: "connected as " + user, closed: "closed: " + reason,
			refused: "log in: " + reason }[state] ?? "connecting";
		$("login").hidden = state !== "refused";
		is_away(state === "connecting" && last !== null);
		if (state === "ready")
			arena.connected();
	} });
	arena.use(node);
}

$("login").onsubmit = event => {
	const { user, proof } = event.target.elements;

	event.preventDefault();
	connect(user.value, proof.value);
};

// --- figures --------------------------------------------------------------------------------

const rates = [];
let last = null, newest, timer;

function short(n) {
	return n < 1e4 ? String(Math.round(n)) : n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + "k"
		: (n / 1e6).toFixed(2) + "M";
}

function draw_rates() {
	const most = Math.max(10, ...rates);
	const at = rates.map((r, i) => [(i + PLACES - rates.length) * 240 / (PLACES - 1),
		42 - 38 * r / most].map(v => v.toFixed(1)).join(","));

	$("spark").querySelector(".line").setAttribute("d", "M" + at.join("L"));
	$("spark").querySelector(".area").setAttribute("d",
		"M" + at.join("L") + "L240,44L" + at[0].split(",")[0] + ",44Z");
}

function row(tag, ...cells) {
	const line = document.createElement(tag);

	for (const [kind, text] of cells)
		line.appendChild(document.createElement(kind)).textContent = text;
	return line;
}

function actor_row(a) {
	const line = row("tr", ["td", a.name], ["td", a.home], ["td", a.state], ["td", a.mailbox]);

	line.className = a.own ? "" : "runtime";
	if (a.mailbox) {
		const bar = document.createElement("span");

		bar.className = "bar";
		bar.style.width = Math.max(2, 44 * Math.min(1, a.mailbox / a.most)) + "px";
		line.lastChild.prepend(bar);
	}
	return line;
}

function patch_row(p) {
	return row("li", ["b", p.number], ["span", p.handlers || "process"], ["em", p.state]);
}

function show(status) {
	const now = performance.now();

	if (last && status.handled < last.handled)
		last = null;                    // it was started again
	if (last && now - last.now > EVERY_MS / 2) {
		rates.push(Math.max(0, (status.handled - last.handled) / (now - last.now) * 1000));
		if (rates.length > PLACES)
			rates.shift();
		$("rate").textContent = short(rates.at(-1));
		draw_rates();
	}
	if (!last || now - last.now > EVERY_MS / 2)
		last = { now, handled: status.handled };
	$("node").textContent = status.node;
	for (const id of ["actors", "waiting", "clients"])
		$(id).textContent = short(status[id]);
	$("patches").textContent = status.patches || "";
	$("latest").replaceChildren(...status.latest.map(patch_row));
	if (!status.latest.length)
		$("latest").append(Object.assign(row("li", ["span",
			"none yet: actorctl patch apply patches/arena_ice.c"]), { className: "none" }));
	if (status.latest[0]?.number !== newest) {
		newest = status.latest[0]?.number;
		arena.look();
	}
	status.named.sort((a, b) => b.own - a.own || a.name.localeCompare(b.name));
	$("named").replaceChildren(...status.named.map(actor_row));
}

function is_away(away) {
	const silent = away && state === "ready";

	$("state").dataset.state = silent ? "connecting" : state;
	$("state").textContent = silent ? "no answer" : said;
	$("away").hidden = !away;
	document.body.classList.toggle("away", away);
}

// A node that is stopped keeps its connections, and answers nothing.
async function look() {
	clearTimeout(timer);
	try {
		show(await (await fetch("/status", { signal: AbortSignal.timeout(PATIENCE_MS) })).json());
		is_away(node.state === "connecting");
		arena.ask();
	} catch {
		is_away(true);
	}
	clearTimeout(timer);                    // of another look meanwhile
	timer = setTimeout(look, EVERY_MS);
}

// --- how to change a rule -------------------------------------------------------------------

$("which").onchange = () => { $("command").textContent = "tools/actorctl " + $("which").value; };

$("copy").onclick = async () => {
	try {
		await navigator.clipboard.writeText($("command").textContent);
		$("copy").textContent = "copied";
	} catch {                               // without https a browser may not: it is marked
		getSelection().selectAllChildren($("command"));
		$("copy").textContent = "marked";
	}
	setTimeout(() => { $("copy").textContent = "copy"; }, 1500);
};

// --- the start ------------------------------------------------------------------------------

arena = new Arena({ canvas: $("canvas"), scores: $("scores"), rules: $("rules"), form: $("enter"),
	name: $("name"), gone: $("gone"), onrules: look });
$("name").value = saved("name") ?? "";
$("name").onchange = () => save("name", $("name").value);
connect(guest(), "");
look();
