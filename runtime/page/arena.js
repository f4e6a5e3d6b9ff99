// SPDX-License-Identifier: MIT
// arena.js: the arena as actors/arena.c tells it, drawn between two tellings. It knows no rules:
// where everything is, what it is worth and what the rules are in words comes from the node.

const WIDTH = 1600, HEIGHT = 900, TICK_MS = 50;
const PLAIN = ["walls stop you", "a gem is a point", "gems lie still"];
const KEYS = { ArrowLeft: [-1, 0], KeyA: [-1, 0], ArrowRight: [1, 0], KeyD: [1, 0],
	ArrowUp: [0, -1], KeyW: [0, -1], ArrowDown: [0, 1], KeyS: [0, 1] };

const hue = number => (number * 137.5 + 205) % 360;
const colour = number => `hsl(${hue(number)} 52% 55%)`;

export class Arena {
	#node = null;
	#me = -1;
	#told = { players: [], gems: [], rules: [] };
	#where = new Map();             // number of a player: where it is drawn
	#gems = [];
	#sent = "0,0";
	#held = new Set();
	#pointer = null;
	#taken = 0;                     // when the node told something last
	#asks = false;
	#drawn_width = 0;
	#pops = [];                     // gems just taken: { x, y, since }

	constructor(parts) {
		Object.assign(this, parts);
		this.paint = this.canvas.getContext("2d");
		this.form.onsubmit = event => { event.preventDefault(); this.#enter(); };
		addEventListener("keydown", event => this.#key(event, true));
		addEventListener("keyup", event => this.#key(event, false));
		addEventListener("blur", () => { this.#held.clear(); this.#steer(); });
		this.canvas.onpointerdown = event => {
			this.canvas.setPointerCapture(event.pointerId);
			this.#point(event);
		};
		this.canvas.onpointermove = event => this.#pointer && this.#point(event);
		this.canvas.onpointerup = this.canvas.onpointercancel = () => {
			this.#pointer = null;
			this.#steer();
		};
		addEventListener("resize", () => { this.#drawn_width = 0; });
		requestAnimationFrame(now => this.#frame(now));
	}

	use(node) {
		this.#node = node;
		node.on("arena", (players, gems, rules) => this.#take(players, gems, rules));
	}

	connected() {
		this.#taken = -Infinity;
		return this.ask();
	}

	// To be told once more: where nobody plays, nobody is told of a rule that changed.
	look() {
		if (this.#me < 0)
			this.#node.send("arena", "watch");
	}

	// Each second. Who plays asks always, for the arena may be another one, which knows nobody, and
	// tells those who looked on all the same; who looks on asks where it is told nothing.
	async ask() {
		if (this.#asks || (this.#me < 0 && performance.now() - this.#taken < 2000))
			return;
		this.#asks = true;
		try {
			const [number] = await this.#node.call("arena", "watch");
			this.gone.hidden = true;
			if (this.#me >= 0 && number !== this.#me)
				await this.#enter();
		} catch (error) {
			this.gone.hidden = error.name !== "Refused";
			this.gone.textContent = "The game stands still: nothing comes from the " +
				"actor arena. It goes on when that is there again.";
		}
		this.#asks = false;
	}

	async #enter() {
		try {
			[this.#me] = await this.#node.call("arena", "enter",
				this.name.value.trim() || "somebody");
			this.#sent = "0,0";
			this.#steer();          // a key may be held since before
			this.form.hidden = true;
			this.canvas.className = "playing";
			this.canvas.tabIndex = 0;
			this.canvas.focus();
		} catch (error) {
			this.form.querySelector(".quiet").textContent = error.message;
		}
	}

	// --- steering ---------------------------------------------------------------------------

	#key(event, down) {
		if (!KEYS[event.code] || this.#me < 0 || event.target.closest?.("input, select"))
			return;
		event.preventDefault();
		down ? this.#held.add(event.code) : this.#held.delete(event.code);
		this.#steer();
	}

	#point(event) {
		const box = this.canvas.getBoundingClientRect();

		this.#pointer = [(event.clientX - box.left) / box.width * WIDTH,
			(event.clientY - box.top) / box.height * HEIGHT];
		this.#steer();
	}

	#steer() {
		const mine = this.#where.get(this.#me);
		let x = 0, y = 0;

		for (const code of this.#held) {
			x += KEYS[code][0];
			y += KEYS[code][1];
		}
		if (this.#pointer && mine) {
			x = this.#pointer[0] - mine.x;
			y = this.#pointer[1] - mine.y;
			if (Math.hypot(x, y) < 12)
				x = y = 0;
		}
		const far = Math.max(1, Math.hypot(x, y));
		const text = [x / far, y / far].map(v => v.toFixed(2)).join();
		if (this.#me >= 0 && text !== this.#sent &&
		    this.#node.send("arena", "steer", ...text.split(",").map(Number)))
			this.#sent = text;
	}

	// --- what the node tells ----------------------------------------------------------------

	#take(players, gems, rules) {
		const was = this.#told.gems;

		this.#taken = performance.now();
		this.gone.hidden = true;
		gems.forEach(([x, y], i) => {
			if (was[i] && Math.hypot(was[i][0] - x, was[i][1] - y) > 60)
				this.#pops.push({ x: was[i][0], y: was[i][1], since: performance.now() });
		});
		if (rules.join() !== this.#told.rules.join()) {
			this.#show_rules(rules);
			this.onrules();         // a patch: it is to be listed now, not in a second
		}
		this.#told = { players, gems, rules };
		this.#show_scores();
		if (this.#pointer)
			this.#steer();
	}

	#show_rules(rules) {
		this.rules.replaceChildren(...rules.filter(Boolean).map((rule, i) => {
			const item = document.createElement("li");

			item.textContent = rule;
			if (rule !== PLAIN[i])
				item.className = "patched";
			if (this.#told.rules[i] && rule !== this.#told.rules[i])
				item.classList.add("fresh");
			return item;
		}));
	}

	#show_scores() {
		const best = [...this.#told.players].sort((a, b) => b[4] - a[4]).slice(0, 8);

		this.scores.replaceChildren(...best.map(([number, name, , , score]) => {
			const line = document.createElement("li");

			line.append(document.createElement("span"), document.createElement("i"),
				document.createElement("b"));
			line.children[0].textContent = name;
			line.children[1].style.background = colour(number);
			line.children[2].textContent = score;
			return line;
		}));
	}

	// --- drawing ----------------------------------------------------------------------------

	// Nothing is drawn a second after the last news, when everything has come to rest.
	#frame(now) {
		requestAnimationFrame(next => this.#frame(next));
		if (now - this.#taken > 1000 && this.canvas.width === this.#drawn_width)
			return;
		this.#draw();
		this.#drawn_width = this.canvas.width;
	}

	#draw() {
		const box = this.canvas.getBoundingClientRect(), p = this.paint;
		const ratio = devicePixelRatio || 1;
		const style = getComputedStyle(document.documentElement);
		const tint = name => style.getPropertyValue(name);

		if (this.canvas.width !== Math.round(box.width * ratio)) {
			this.canvas.width = Math.round(box.width * ratio);
			this.canvas.height = Math.round(box.height * ratio);
		}
		p.setTransform(this.canvas.width / WIDTH, 0, 0, this.canvas.height / HEIGHT, 0, 0);
		p.clearRect(0, 0, WIDTH, HEIGHT);
		this.#grid(tint("--grid"));
		this.#told.gems.forEach((gem, i) => this.#gem(gem, i, tint("--gem"), tint("--gold")));
		this.#pop(tint("--gold"));
		this.#told.players.forEach(player => this.#player(player, tint("--ink")));
	}

	#grid(tint) {
		const p = this.paint;

		p.strokeStyle = tint;
		p.lineWidth = 2;
		p.beginPath();
		for (let x = 100; x < WIDTH; x += 100)
			p.moveTo(x, 0), p.lineTo(x, HEIGHT);
		for (let y = 100; y < HEIGHT; y += 100)
			p.moveTo(0, y), p.lineTo(WIDTH, y);
		p.stroke();
	}

	// Where a thing is drawn follows where it is told to be, but not across the field.
	#follow(at, x, y) {
		if (!at || Math.hypot(at.x - x, at.y - y) > 200)
			return { x, y };
		return { x: at.x + (x - at.x) * 0.28, y: at.y + (y - at.y) * 0.28 };
	}

	#gem([x, y, worth], i, gem, gold) {
		const p = this.paint, size = worth > 1 ? 17 : 11;
		const at = this.#gems[i] = this.#follow(this.#gems[i], x, y);

		p.save();
		p.translate(at.x, at.y);
		p.rotate(Math.PI / 4);
		p.fillStyle = worth > 1 ? gold : gem;
		p.beginPath();
		p.roundRect(-size, -size, 2 * size, 2 * size, 4);
		p.fill();
		p.restore();
	}

	#pop(tint) {
		const p = this.paint, now = performance.now();

		this.#pops = this.#pops.filter(({ since }) => now - since < 400);
		for (const { x, y, since } of this.#pops) {
			const age = (now - since) / 400;

			p.globalAlpha = 1 - age;
			p.strokeStyle = tint;
			p.lineWidth = 4;
			p.beginPath();
			p.arc(x, y, 14 + 40 * age, 0, 7);
			p.stroke();
			p.globalAlpha = 1;
		}
	}

	// A name is to be read on a phone, too.
	#player([number, name, x, y], ink) {
		const tall = Math.max(24, 11 * devicePixelRatio * WIDTH / this.canvas.width);
		const p = this.paint, at = this.#follow(this.#where.get(number), x, y);

		this.#where.set(number, at);
		p.fillStyle = colour(number);
		p.beginPath();
		p.arc(at.x, at.y, 24, 0, 7);
		p.fill();
		if (number === this.#me) {
			p.strokeStyle = ink;
			p.lineWidth = 4;
			p.stroke();
		}
		p.fillStyle = ink;
		p.font = `500 ${tall}px system-ui, sans-serif`;
		p.textAlign = "center";
		p.fillText(name, at.x, at.y + (at.y > HEIGHT - 46 - tall ? -38 : 30 + tall));
	}
}
