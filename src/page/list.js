// A long list: only what is near the view is in the document. Another `sig` draws a row anew.

import {active, controls, h} from './dom.js'

const MARGIN_PX = 900
const END_PX = 48
const HEIGHT_PX = 70

export class List {
	constructor(box, draw, moved) {
		Object.assign(this, {box, draw, moved, rows: [], index: new Map(), heights: new Map(), drawn: new Map(), stick: true})
		box.append(this.above = h(''), this.below = h(''))
		box.onscroll = () => {
			this.stick = this.atEnd()
			this.waiting ||= requestAnimationFrame(() => this.update())
		}
		new ResizeObserver(() => {
			if (box.clientWidth !== this.width) this.heights.clear()
			this.width = box.clientWidth
			this.update()
		}).observe(box)
	}

	set(rows) {
		const anchor = this.anchor()
		this.rows = rows
		this.index = new Map(rows.map((row, i) => [row.key, i]))
		this.update(anchor)
	}

	atEnd() {
		return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < END_PX
	}

	/** Where a row ends: what stands below it stays. */
	y(key) {
		return this.drawn.get(key).getBoundingClientRect().bottom - this.box.getBoundingClientRect().top
	}

	anchor() {
		for (const [key, el] of this.drawn) {
			const y = this.y(key)
			if (key[0] === 'm' && y > 0) return y - el.offsetHeight < this.box.clientHeight && {key, y}
		}
	}

	update(anchor = this.anchor()) {
		this.waiting = 0
		const {box, rows} = this
		const view = box.clientHeight
		if (!view) return
		const target = this.stick ? undefined : this.index.get(anchor?.key)
		const height = key => this.heights.get(key) || HEIGHT_PX
		// Drawing tells heights, which brings others near.
		for (let round = 0, news = true; news && round < 5; round++) {
			const tops = [0]
			rows.forEach(({key}, i) => tops.push(tops[i] + height(key)))
			const total = tops[rows.length]
			const top = this.stick ? total - view : target === undefined ? box.scrollTop : tops[target + 1] - anchor.y
			const near = rows.map((_, i) => tops[i + 1] > top - MARGIN_PX && tops[i] < top + view + MARGIN_PX)
			const from = Math.max(0, near.indexOf(true))
			const to = near.lastIndexOf(true) + 1
			this.place(from, to)
			this.above.style.height = tops[from] + 'px'
			this.below.style.height = total - tops[to] + 'px'
			news = false
			for (const [key, el] of this.drawn) {
				const is = el.getBoundingClientRect().height
				news ||= Math.abs(height(key) - is) > 0.5
				this.heights.set(key, is)
			}
		}
		if (this.stick) box.scrollTop = box.scrollHeight
		else if (target !== undefined && this.drawn.has(anchor.key)) box.scrollTop += this.y(anchor.key) - anchor.y
		this.moved()
	}

	place(from, to) {
		for (const [key, el] of this.drawn) {
			const i = this.index.get(key)
			if (i >= from && i < to) continue
			if (el.contains(active())) this.box.focus({preventScroll: true})
			el.remove()
		}
		let last = this.above
		this.drawn = new Map(this.rows.slice(from, to).map(row => {
			const el = this.drawn.get(row.key)
			const now = el?.sig === row.sig ? el : this.draw(row)
			if (now !== el) {
				now.sig = row.sig
				// From the end: the last is the menu.
				const focused = el?.contains(active()) && controls(el).indexOf(active()) - controls(el).length
				el?.replaceWith(now)
				if (focused) (controls(now).slice(focused)[0] || this.box).focus({preventScroll: true})
				this.heights.delete(row.key)
			}
			if (last.nextSibling !== now) last.after(now)
			last = now
			return [row.key, now]
		}))
	}

	toEnd() {
		this.stick = true
		this.update()
	}

	show(key) {
		if (!this.index.has(key)) return
		this.stick = false
		this.update({key, y: this.box.clientHeight / 2})
		this.stick = this.atEnd()
		return this.drawn.get(key)
	}
}
