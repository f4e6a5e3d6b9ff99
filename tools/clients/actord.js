// SPDX-License-Identifier: MIT
// actord.js: calls to the actors of a node over a WebSocket, as promises. No dependencies; a
// browser's module, or Node's from version 22 on. The node serves it as /actord.js.
//
//   import { Client } from "/actord.js";
//   const node = new Client({ user: "ann" });
//   const [total] = await node.call("counter", "hit", 1);
//   node.on("news", (...values) => console.log(values));      // what actors push
//
// When the connection is lost, calls under way are rejected (nobody knows whether they were done)
// and a new one is tried, later and later; calls made meanwhile wait for it. A refused login is
// final.

export class Refused extends Error {
	constructor({ code, text }) {
		super(text);
		this.name = "Refused";
		this.code = code;
	}
}

const FIRST_MS = 250, LAST_MS = 10000;

export class Client {
	#handlers = new Map();
	#calls = new Map();     // by id: { resolve, reject, timer, sent, text }
	#id = 0;
	#wait = FIRST_MS;
	#socket = null;
	#timer = null;
	#ended = false;

	// url: ws://host:port/, the page's own node where it is left out. state is "connecting",
	// "ready", "refused" or "closed"; onstate(state, reason) is told of each change.
	constructor({ url, user = "guest", proof = "", timeout = 30000, onstate = () => {} } = {}) {
		this.url = url ?? location.origin.replace(/^http/, "ws") + "/";
		Object.assign(this, { user, proof, timeout, onstate, state: "" });
		this.#connect();
	}

	// Resolves to the answer's values, as an array; rejects with Refused, or an Error.
	call(actor, handler, ...args) {
		const id = ++this.#id;
		const text = JSON.stringify({ tpc: actor, func: handler, args, cb: "answer", id });

		return new Promise((resolve, reject) => {
			if (this.#ended)
				return reject(new Error("the client is closed"));
			const timer = setTimeout(() => {
				this.#calls.delete(id);
				reject(new Error(`${actor}.${handler}: no answer in ${this.timeout} ms`));
			}, this.timeout);
			const call = { resolve, reject, timer, text, sent: this.state === "ready" };
			this.#calls.set(id, call);
			if (call.sent)
				this.#socket.send(text);
		});
	}

	// Wants no answer; while there is no connection it is dropped, and false returned.
	send(actor, handler, ...args) {
		if (this.state !== "ready")
			return false;
		this.#socket.send(JSON.stringify({ tpc: actor, func: handler, args }));
		return true;
	}

	on(func, fn) {
		this.#handlers.set(func, fn);
		return this;
	}

	close() {
		this.#ended = true;
		clearTimeout(this.#timer);
		this.#socket.close();
	}

	#become(state, reason = "") {
		if (state !== this.state || reason) {
			this.state = state;
			this.onstate(state, reason);
		}
	}

	#connect() {
		this.#become("connecting");
		this.#socket = new WebSocket(this.url);
		this.#socket.onopen = () => this.#socket.send(
			JSON.stringify({ func: "login", args: [this.user, this.proof] }));
		this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
		this.#socket.onclose = ({ code, reason }) => this.#lost(code, reason);
	}

	#take({ func, args, id, err }) {
		const call = this.#calls.get(id);

		if (func === "loginback" && this.state === "connecting") {
			if (args[0] === 0)
				this.#begin();
			else
				this.#ended = true;     // the reason comes with the close
		} else if (call && func === "answer") {
			this.#calls.delete(id);
			clearTimeout(call.timer);
			err ? call.reject(new Refused(err)) : call.resolve(args);
		} else {
			this.#handlers.get(func)?.(...args);
		}
	}

	#begin() {
		this.#wait = FIRST_MS;
		this.#become("ready");
		for (const call of this.#calls.values())
			if (!call.sent) {
				call.sent = true;
				this.#socket.send(call.text);
			}
	}

	#lost(code, reason) {
		const refused = this.#ended && this.state === "connecting";

		this.#ended ||= code === 4001;          // the same user has logged in elsewhere
		for (const [id, call] of this.#calls)
			if (call.sent || this.#ended) {
				this.#calls.delete(id);
				clearTimeout(call.timer);
				call.reject(new Error(`the connection was lost (${code} ${reason})`));
			}
		if (this.#ended)
			return this.#become(refused ? "refused" : "closed", reason);
		this.#become("connecting", reason);
		this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
		this.#wait = Math.min(2 * this.#wait, LAST_MS);
	}
}
