// SPDX-License-Identifier: MIT
// actord.js: calls to the actors of a node over a WebSocket, as promises. No dependencies; a
// browser's module, or Node's from version 22 on. The node serves it as /actord.js.
//
//   import { Client } from "/actord.js";
//   const node = new Client({ user: "ann" });
//   const [total] = await node.call("counter", "hit", 1);
//   node.on("news", (...values) => console.log(values));      // what actors push
//
// When the connection is lost, calls under way are rejected with Lost (nobody knows whether they
// were done) and a new one is tried, later and later; calls made meanwhile wait for it. So it is
// where a node has too much to do for a login (1013); a login that it refuses is final.

export class Refused extends Error {
	constructor({ code, text }) {
		super(text);
		this.name = "Refused";
		this.code = code;
	}
}

// The connection ended with the call under way, or the client was closed before it was sent.
export class Lost extends Error {
	name = "Lost";
}

const FIRST_MS = 250, LAST_MS = 10000;
const UNSENT_MOST = 16 << 20;           // bytes that the socket has not taken
const ETIME = -4, EARGS = -1;           // as in actor.h

export class Client {
	#handlers = new Map();
	#calls = new Map();     // by id: { resolve, reject, timer, sent, text }
	#id = 0;
	#wait = FIRST_MS;
	#socket = null;
	#timer = null;
	#ended = false;
	#refused = false;       // by the node, at login

	// url: ws://host:port/, the page's own node where it is left out. state is "connecting",
	// "ready", "refused" or "closed"; onstate(state, reason) is told of each change.
	constructor({ url, user = "guest", proof = "", timeout = 30000, onstate = () => {} } = {}) {
		this.url = url ?? location.origin.replace(/^http/, "ws") + "/";
		Object.assign(this, { user, proof, timeout, onstate, state: "" });
		this.#connect();
	}

	// Resolves to the answer's values, as an array; rejects with Refused, which has a code of
	// actor.h's, or Lost.
	call(actor, handler, ...args) {
		const id = ++this.#id;

		return new Promise((resolve, reject) => {
			if (this.#ended)
				return reject(new Lost("the client is closed"));
			let text;
			try {
				text = JSON.stringify({ tpc: actor, func: handler, args, cb: "answer", id });
			} catch (error) {               // a BigInt, a ring
				return reject(new Refused({ code: EARGS, text: error.message }));
			}
			const timer = setTimeout(() => {
				this.#calls.delete(id);
				reject(new Refused({ code: ETIME,
					text: `${actor}.${handler} has not answered in ${this.timeout} ms` }));
			}, this.timeout);
			const call = { resolve, reject, timer, text, sent: this.state === "ready" };
			this.#calls.set(id, call);
			if (call.sent)
				this.#socket.send(text);
		});
	}

	// Wants no answer; while there is no connection, or one that takes nothing, it is dropped,
	// and false returned.
	send(actor, handler, ...args) {
		if (this.state !== "ready" || this.#socket.bufferedAmount > UNSENT_MOST)
			return false;
		this.#socket.send(JSON.stringify({ tpc: actor, func: handler, args }));
		return true;
	}

	on(func, fn) {
		this.#handlers.set(func, fn);
		return this;
	}

	// What waits is rejected, at once.
	close() {
		if (this.#ended)
			return;
		this.#ended = true;
		clearTimeout(this.#timer);
		this.#socket.onmessage = this.#socket.onclose = null;
		this.#socket.close();
		this.#reject("the client is closed", true);
		this.#become("closed");
	}

	#reject(why, all) {
		for (const [id, call] of this.#calls)
			if (call.sent || all) {
				this.#calls.delete(id);
				clearTimeout(call.timer);
				call.reject(new Lost(why));
			}
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
		this.#socket.onmessage = ({ data }) => this.#read(data);
		this.#socket.onclose = ({ code, reason }) => this.#lost(code, reason);
	}

	#read(data) {
		let message;

		try {
			message = JSON.parse(data);
		} catch {                               // no node of ours
			return this.#socket.close();
		}
		this.#take(message);
	}

	#take({ func, args, id, err }) {
		const call = this.#calls.get(id);

		if (func === "loginback" && this.state === "connecting") {
			if (args[0] === 0)
				this.#begin();
			else
				this.#refused = true;   // the reason comes with the close
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
		this.#ended = this.#refused || code === 4001;   // the same user logged in elsewhere
		this.#reject(`the connection was lost (${code} ${reason})`, this.#ended);
		if (this.#ended)
			return this.#become(this.#refused ? "refused" : "closed", reason);
		this.#become("connecting", reason);
		this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
		this.#wait = Math.min(2 * this.#wait, LAST_MS);
	}
}
