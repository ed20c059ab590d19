// Elements, dialogs, toasts. Knows no room and no server.

import {refusal, t} from './i18n.js'

export const $ = id=>document.getElementById(id)
/** `h('b.class#id', {onclick}, 'text', child)`; by default a div; without what is false. */
export function h(spec, props, ...children){
	const [, tag, classes, id] = spec.match(/(\w*)\.?([^#]*)#?(.*)/), el = document.createElement(tag || 'div')
	if(!props || props.constructor !== Object) children.unshift(props)
	else for(const key in props){
		if(key.startsWith('on')) el.addEventListener(key.slice(2), props[key])
		else if((props[key] ?? false) !== false) el.setAttribute(key, props[key])
	}
	if(classes) el.className = classes.replace(/\./g, ' ')
	if(id) el.id = id
	return fill(el, ...children)
}

export function fill(el, ...children){
	el.replaceChildren(...children.flat(9).filter(Boolean))
	return el
}

export const active = ()=>document.activeElement
export const controls = el=>[...el.querySelectorAll('a,button:enabled,input,textarea')]
/** Fills `el` if `sig` is another; the focus stays on the same thing, or on none. */
export function renew(el, sig, draw){
	if(el.sig === String(sig)) return
	const was = active(), inside = controls(el).includes(was)
	el.sig = String(sig)
	fill(el, draw())
	const mark = ({id, form, href, dataset})=>[id, form?.id, href, dataset.act, dataset.of].join()
	if(inside) (controls(el).find(it=>mark(it) === mark(was)) || open[0] || $('app').firstChild).focus()
}

export const btn = (act, onclick, label = t(act), kind = 'soft', of)=>h('button.' + kind, {type: 'button', 'data-act': act, 'data-of': of, onclick}, label)

export function sign(act, mark, onclick, label = t(act), of){
	const el = btn(act, onclick, mark, 'sign', of)
	el.setAttribute('aria-label', el.title = label)
	return el
}

export const form = (spec, act, ...children)=>h('form' + spec, {onsubmit(e){
	e.preventDefault()
	act(e.target.elements[0].value.trim(), e.target)
}}, ...children)
export const input = (id, props)=>h('input#' + id, {autocomplete: 'off', dir: 'auto', required: true, pattern: '.*\\S.*', ...props})
export const field = (label, what)=>h('label.field', t(label), what)
export const line = (id, label, act, props)=>form('.line', act, field(label, input(id, props)), h('button.main', t('yes')))

export const calmly = {preventScroll: true}
// The uppermost first.
const open = []

export function dialog(name, about, ...body){
	const before = active(), title = about || t(name)
	const box = h('.dialog', {role: 'dialog', 'aria-modal': true, 'aria-label': title, 'data-dialog': name, tabindex: -1},
		h('.head', h('h2', title), sign('close', '✕', ()=>box.close())), ...body)
	const veil = h('.veil', {onclick: e=>e.target === veil && box.close()}, box)
	box.close = ()=>{
		open.splice(open.indexOf(box), 1)
		$('app').inert = open[0]
		veil.remove();
		(before.isConnected ? before : open[0] || $('text')).focus(calmly)
	}
	open.unshift(box)
	$('app').inert = true
	$('layer').append(veil);
	(box.querySelector('input:not([readonly])') || box).focus()
	return box
}

export const follow = ()=>open.forEach(box=>box.live?.())
export const closeAll = ()=>[...open].forEach(box=>box.close())

addEventListener('keydown', e=>{
	const [box] = open
	const step = {Tab: e.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1, Escape: 2}[e.key]
	if(!box || !step || e.isComposing) return
	e.preventDefault()
	if(step > 1) return box.close()
	const inside = controls(box)
	inside[(Math.max(inside.indexOf(active()), step > 0 ? -1 : 0) + step + inside.length) % inside.length].focus()
})
/** A dialog of things to do: `[act, action, danger, label]`. */
export function menu(title, items){
	const box = dialog('menu', title, h('.menu', items.filter(Boolean).map(([act, action, danger, label = t(act)]) =>
		btn(act, ()=>{box.close(); action?.()}, label, danger ? 'danger' : 'plain'))))
}

export const sure = (question, action)=>menu(question + '?', [['yes', action, true], ['close']])

let hide
export function toast(text){
	fill($('toast'), text)
	clearTimeout(hide)
	hide = setTimeout(fill, 5000, $('toast'))
}

export const complain = res=>res.code && !toast(refusal(res))
/** Plain http has no clipboard. */
export function copyable(name, value){
	const input = h('input#' + name, {readonly: true, value, 'aria-label': t(name)})
	return h('.line', input, btn('copy', ()=>{
		input.select()
		toast(document.execCommand('copy') && t('done'))
	}))
}
