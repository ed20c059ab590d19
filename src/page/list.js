// A long list of which only what is near the view is in the document. Rows are `{key, sig}`; `draw`
// makes a row's element anew when its `sig` changes. Knows nothing of messages.

/** Pixels drawn above and below the view: two flicks of a thumb. */
const MARGIN_PX = 900;
/** So near the end one is at the end, and stays there. */
const END_PX = 48;

export class List {
	constructor(box, draw, moved) {
		Object.assign(this, { box, draw, moved, rows: [], index: new Map(), heights: new Map(), drawn: new Map() });
		this.stick = true;
		/** Height of a row that was never drawn. */
		this.guess = 60;
		this.above = document.createElement('div');
		this.below = document.createElement('div');
		box.append(this.above, this.below);
		box.onscroll = () => {
			this.stick = box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
			this.waiting = this.waiting || requestAnimationFrame(() => this.update());
		};
		new ResizeObserver(() => {
			if (box.clientWidth !== this.width) this.heights.clear();
			this.width = box.clientWidth;
			this.update();
		}).observe(box);
	}

	set(rows) {
		const anchor = this.anchor();
		this.rows = rows;
		this.index = new Map(rows.map((row, i) => [row.key, i]));
		this.update(anchor);
	}

	/** A row in view and where it is, so that it stays there. */
	anchor() {
		const top = this.box.getBoundingClientRect().top;
		for (const [key, { el }] of this.drawn) {
			const at = el.getBoundingClientRect();
			// Only messages keep their key for sure.
			if (at.bottom > top && key[0] === 'm' && this.index.has(key)) return { key, y: at.top - top };
		}
		return null;
	}

	height(i) {
		return this.heights.get(this.rows[i].key) || this.guess;
	}

	/** Draws what is near the view, `anchor` where it was. */
	update(anchor = this.anchor()) {
		this.waiting = 0;
		const { box, rows } = this;
		const view = box.clientHeight;
		if (!view) return;
		const target = !this.stick && anchor ? this.index.get(anchor.key) : undefined;
		// Heights are known by drawing, which may bring others near the view: a few rounds.
		for (let round = 0; round < 5; round++) {
			let total = 0;
			const offsets = rows.map((_, i) => (total += this.height(i)) - this.height(i));
			const top = this.stick ? total - view : target === undefined ? box.scrollTop : offsets[target] - anchor.y;
			const near = (i) => offsets[i] + this.height(i) > top - MARGIN_PX && offsets[i] < top + view + MARGIN_PX;
			const from = Math.max(0, rows.findIndex((_, i) => near(i)));
			let to = from;
			while (to < rows.length && near(to)) to++;
			this.place(from, to);
			this.above.style.height = (offsets[from] || 0) + 'px';
			this.below.style.height = total - (to < rows.length ? offsets[to] : total) + 'px';
			if (!this.measure()) break;
		}
		if (this.stick) box.scrollTop = box.scrollHeight;
		else if (target !== undefined && this.drawn.has(anchor.key)) {
			const now = this.element(anchor.key).getBoundingClientRect().top - box.getBoundingClientRect().top;
			if (Math.abs(now - anchor.y) > 0.5) box.scrollTop += now - anchor.y;
		}
		this.moved();
	}

	/** Has these rows in the document, in order; elements and focus stay. */
	place(from, to) {
		const old = this.drawn;
		this.drawn = new Map();
		for (const row of this.rows.slice(from, to)) this.drawn.set(row.key, old.get(row.key) || {});
		for (const [key, { el }] of old) {
			if (this.drawn.has(key)) continue;
			if (el.contains(document.activeElement)) this.box.focus({ preventScroll: true });
			el.remove();
		}
		let next = this.above.nextSibling;
		for (let i = from; i < to; i++) {
			const row = this.rows[i];
			const known = this.drawn.get(row.key);
			if (known.sig !== row.sig) {
				const el = this.draw(row);
				if (known.el) {
					const focused = known.el.contains(document.activeElement);
					if (known.el === next) next = el;
					known.el.replaceWith(el);
					if (focused) el.focus({ preventScroll: true });
				}
				Object.assign(known, { el, sig: row.sig });
				this.heights.delete(row.key);
			}
			if (known.el === next) next = next.nextSibling;
			else this.box.insertBefore(known.el, next);
		}
	}

	/** Whether a height is another than believed. */
	measure() {
		let news = false;
		let sum = 0;
		for (const [key, { el }] of this.drawn) {
			const { height } = el.getBoundingClientRect();
			news = news || Math.abs((this.heights.get(key) || this.guess) - height) > 0.5;
			this.heights.set(key, height);
			sum += height;
		}
		if (this.guess === 60 && this.drawn.size > 9) this.guess = sum / this.drawn.size;
		return news;
	}

	element(key) {
		return (this.drawn.get(key) || {}).el;
	}

	toEnd() {
		this.stick = true;
		this.update();
	}

	/** Brings a row into view, `y` pixels below the top. */
	show(key, y = this.box.clientHeight / 3) {
		if (!this.index.has(key)) return;
		this.stick = false;
		this.update({ key, y });
		this.stick = false;
	}
}
