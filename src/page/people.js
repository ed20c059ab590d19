// Who is here, the invitation, and what an owner can do.

import {btn, complain, copyable, dialog, fill, h, line, menu, renew, sign, sure, toast} from './dom.js'
import {bidi, refusal, t} from './i18n.js'
import {ask, call, headers, net} from './net.js'
import * as my from './store.js'
import {members, view} from './sync.js'
/** Left ears: cat, bear, rabbit. */
const EARS = ['M9 27 11 7l13 10z', 'M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M13 24C6 4 14-1 18 4s4 12 4 18z']
const dot = (cx, cy, fill)=>`<circle cx="${cx}" cy="${cy}" r="2.3" fill="${fill}"/>`

export function avatar({avatar: index = 0} = {}){
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map(c=>`hsl(${index * 47},${c})`), box = h('')
	const half = `<path d="${EARS[index % 3]}"/>` + dot(17.5, 28, dark) + dot(13, 34, '#ef7d86')
	box.innerHTML = `<svg viewBox="0 0 48 48" class="avatar" aria-hidden="true" fill="${fur}"><path d="M0 0h48v48H0z" fill="${light}"/>
		<ellipse cx="24" cy="31" rx="16" ry="14"/>${half}<g transform="matrix(-1 0 0 1 48 0)">${half}</g>
		<path d="M23 32h2M20 35.5q2 2 4 0q2 2 4 0" fill="none" stroke="${dark}" stroke-width="1.8" stroke-linecap="round"/></svg>`
	return box.firstChild
}

async function command(it, act, fields){
	const res = await ask(it, 'owner', {act, ...fields})
	return !complain(res) && (toast(t('done')), res)
}

export const server = {name: 'parlor', addresses: [], rooms: []}

export async function where(){
	const res = await call('/where'), known = res.status === 200 && Object.assign(server, res)
	view.changed()
	return known
}
/** As others reach it, not on localhost. */
function linkTo(it, key){
	const near = /^(localhost|127\.|\[::1)/.test(location.hostname) && server.addresses[0]
	return `${near || location.origin}/#/room/${it.id}${key ? '?owner=' + key : ''}`
}
const qr = link=>h('img.qr', {src: '/qr.svg?text=' + encodeURIComponent(link), alt: 'QR ' + link, onerror: e=>e.target.remove()})

const wayIn = it=>[qr(linkTo(it)), h('p.number', t('room', it.id))]
export async function share(it){
	if(!server.addresses[0]) await where()
	dialog('share', '', wayIn(it), copyable('share', linkTo(it)))
}

export function board(it){
	const aside = h('aside'), said = h('.said')
	function update(){
		it.read()
		renew(aside, [it.name, linkTo(it), net.state], ()=>[net.state !== 'online' && h('.bar', t(net.state)), h('h1', it.name), wayIn(it), h('p', linkTo(it)), h('a', {href: '#/room/' + it.id}, t('close'))])
		fill(said, it.entries.filter(e=>e.text).slice(-12).map(e =>
			h('.big', avatar(it.faces[e.sender]), h('', h('bdi', e.name), h('', {dir: 'auto'}, e.text)))))
	}
	const el = h('main.board', aside, said)
	return {el, update, opened: update}
}

export function people(it){
	const rank = m=>(m.owner ? 0 : m.online ? 1 : 2) + m.name
	const is = m=>[m.owner && t('owner'), t(m.online ? 'in' : 'out'), m.muted && t('muted')].filter(Boolean).join(' · ')
	const list = h('ul.people'), box = dialog('people', it.name, list)
	box.live = ()=>{
		const all = [...it.members.values()].sort((a, b)=>rank(a).localeCompare(rank(b)))
		renew(list, [it.me.owner, all.map(m=>m.id + m.name + is(m))], ()=>all.map(m=>h('li', avatar(m), h('', h('bdi', m.name), h('small', is(m))),
			it.me.owner && sign('member', '⋯', ()=>member(it, m), m.name + ': ' + t('more'), m.id))))
	}
	box.live()
	members(it)
}
/** In a menu: what cannot be undone. */
export const grave = (it, {id, name}, act, label = act, fields)=>[label, ()=>sure(t(label) + ': ' + bidi(name), ()=>command(it, act, {user: id, ...fields})), true]

function member(it, m){
	const pupil = !m.owner, mute = minutes=>command(it, 'mute', {user: m.id, minutes})
	menu(m.name, [
		pupil && ['mute', ()=>{
			const box = dialog('mute', t('mute') + ' ' + bidi(m.name), line('minutes', 'minutes', value=>{mute(+value); box.close()}, {inputmode: 'numeric', pattern: '0*[1-9]\\d*', value: 5}))
		}],
		m.muted && ['unmute', ()=>mute(0)],
		grave(it, m, 'appoint', pupil ? 'appoint' : 'dismiss', {on: pupil}),
		pupil && grave(it, m, 'kick'), pupil && grave(it, m, 'kick', 'keepOut', {keepOut: true}), grave(it, m, 'wipe'),
	])
}

export function hands(it, el){
	const {owner} = it.me, all = it.hands.map(user=>it.members.get(user) || {id: user, name: user})
	// Who taps twice means one.
	renew(el, [owner, ...all.map(({id, name})=>id + name)], ()=>[all.map(({id, name}, i)=>
		h('button.chip', {disabled: !owner, title: t('lower'), 'data-act': 'lower', 'data-of': id, onclick: e=>e.detail > 1 || command(it, 'lower', {user: id})}, `✋ ${i + 1}. ${name}`)), owner && it.hands.length > 1 && btn('lower-all', ()=>command(it, 'lower'), t('lower') + ' 1–' + it.hands.length)])
}

export async function settings(it){
	let keptOut, told, bare
	const key = ()=>my.known(it.id).key

	async function look(){
		const ownerKey = key()
		told = it.told
		const state = await ask(it, 'owner', {act: 'state'})
		if(state.code) return told = state
		keptOut = state.keptOut
		// Who is dismissed by now would be an owner again.
		const {code} = ownerKey ? await ask(it, 'join', {ownerKey}) : {}
		if(code === 10 && key() === ownerKey) my.remember(it.id, {key: null})
	}

	const toggle = (act, is)=>h('label.line', t(act), h('input#' + act, {type: 'checkbox', role: 'switch', checked: it.state[is], async onchange({target}){
		if(!await command(it, act, {on: target.checked})) target.checked = !target.checked
	}}))

	if(complain(await look() || {})) return
	const set = (act, field)=>async (value, form)=>await command(it, act, {[field]: value}) && form.reset()
	const rename = line('rename', 'roomName', set('rename', 'name')), body = h('')
	const box = dialog('settings', '', rename, line('password', 'newPassword', set('password', 'password')), body)
	box.live = ()=>{
		const link = key() && linkTo(it, key())
		if(!it.me.owner) return box.close()
		if(told !== it.told) look()
		rename.elements[0].defaultValue = it.name
		renew(body, [it.state.locked, it.state.quiet, keptOut.map(({user})=>user), link, bare, it.state.password], ()=>[
			it.state.password && btn('open', ()=>command(it, 'password', {password: null})), toggle('lock', 'locked'), toggle('quiet', 'quiet'),
			keptOut.map(({user, name})=>btn('allow', ()=>command(it, 'allow', {user}), t('allow', bidi(name)), 'soft', user)),
			h('p', t('export'), ['html', 'txt', 'csv', 'json'].map(f=>[' ', btn(f, ()=>download(it, f), f)])),
			h('p', t('ownerHint')), link && (bare ? [qr(link), copyable('ownerHint', link)] : btn('bare', ()=>{bare = true; box.live()})),
			btn('anew', ()=>sure(t('anew'), async ()=>my.remember(it.id, {key: (await command(it, 'link')).ownerKey || key()}))), btn('closeRoom', ()=>sure(t('closeRoom'), ()=>command(it, 'close')), undefined, 'danger')])
	}
	box.live()
}

async function download(it, format){
	const [res, blob] = await fetch(`/rooms/${it.id}/export?format=${format}`, {headers: headers()}).then(async res=>[res, await res.blob()]).catch(()=>[0, 0])
	if(!res.ok) return toast(refusal(blob && JSON.parse(await blob.text())))
	const href = URL.createObjectURL(blob)
	h('a', {href, download: `${it.name}.${format}`}).click()
	setTimeout(URL.revokeObjectURL, 6e4, href)
}
