// A long list: only what is near the view is in the document. Another `sig` draws a row anew.

import {active, calmly, controls, h} from './dom.js'

const MARGIN_PX = 900
const END_PX = 48
const HEIGHT_PX = 40
const rect = el=>el.getBoundingClientRect()
export function longList(box, draw, moved){
	const above = h(''), below = h(''), heights = new Map()
	let rows = [], index = new Map(), drawn = new Map(), waiting, width, last, scrolled
	const list = {stick: true, set, toEnd, show}
	const atEnd = ()=>box.scrollHeight - box.scrollTop - box.clientHeight < END_PX
	/** Where a row ends: what stands below it stays. */
	const end = key=>rect(drawn.get(key)).bottom - rect(box).top
	box.append(above, below)
	box.onscroll = ()=>{
		list.stick = atEnd()
		waiting ||= requestAnimationFrame(()=>update())
	}
	new ResizeObserver(()=>{
		if(box.clientWidth !== width) heights.clear()
		width = box.clientWidth
		update()
	}).observe(box)

	function set(all){
		rows = all
		index = new Map(rows.map((row, i)=>[row.key, i]))
		update()
	}

	/** After another layout: what was in view. */
	function anchor(){
		if(scrolled === box.scrollTop && index.has(last?.key)) return last
		for(const [key, el] of drawn){
			const y = end(key)
			if(key !== 'top' && y > 0 && index.has(key)) return y - el.offsetHeight < box.clientHeight && {key, y}
		}
	}

	function update(at = anchor()){
		waiting = 0
		const view = box.clientHeight
		if(!view) return
		const target = list.stick ? NaN : index.get(at?.key), height = key=>heights.get(key) || HEIGHT_PX
		// Drawing tells heights, which brings others near.
		for(let round = 0, news = true; news && round < 5; round++){
			const tops = [0]
			rows.forEach(({key}, i)=>tops.push(tops[i] + height(key)))
			const total = tops[rows.length]
			const top = list.stick ? total - view : target >= 0 ? tops[target + 1] - at.y : box.scrollTop
			const near = rows.map((_, i)=>tops[i + 1] > top - MARGIN_PX && tops[i] < top + view + MARGIN_PX)
			const from = Math.max(0, near.indexOf(true)), to = near.lastIndexOf(true) + 1
			place(from, to)
			above.style.height = tops[from] + 'px'
			below.style.height = total - tops[to] + 'px'
			news = false
			for(const [key, el] of drawn){
				const is = rect(el).height
				news ||= Math.abs(height(key) - is) > .5
				heights.set(key, is)
			}
		}
		if(list.stick) box.scrollTop = box.scrollHeight
		else if(target >= 0 && drawn.has(at.key)) box.scrollTop += end(at.key) - at.y
		last = 0
		last = anchor()
		scrolled = box.scrollTop
		moved()
	}

	function place(from, to){
		for(const [key, el] of drawn){
			const i = index.get(key)
			if(i >= from && i < to) continue
			if(el.contains(active())) box.focus(calmly)
			el.remove()
		}
		let before = above
		drawn = new Map(rows.slice(from, to).map(row=>{
			const el = drawn.get(row.key), now = el?.sig === row.sig ? el : draw(row)
			if(now !== el){
				now.sig = row.sig
				// From the end: the last is the menu.
				const focused = el?.contains(active()) && controls(el).indexOf(active()) - controls(el).length
				el?.replaceWith(now)
				if(focused) (controls(now).slice(focused)[0] || box).focus(calmly)
				heights.delete(row.key)
			}
			if(before.nextSibling !== now) before.after(now)
			before = now
			return [row.key, now]
		}))
	}

	function toEnd(){
		list.stick = true
		update()
	}

	function show(key){
		if(!index.has(key)) return
		list.stick = false
		update({key, y: box.clientHeight / 2})
		list.stick = atEnd()
		return drawn.get(key)
	}

	return list
}
