// Who is here, the invitation, and what an owner can do.

import {button, copyable, dialog, fill, h, line, menu, renew, sign, sure, toast} from './dom.js'
import {bidi, millis, refusal, t} from './i18n.js'
import {ask, call, headers, net} from './net.js'
import * as my from './store.js'
import {view} from './sync.js'

/** Left ears: cat, bear, rabbit. */
const EARS = ['M9 27 11 7l13 10z', 'M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M13 24C6 4 14-1 18 4s4 12 4 18z']
const dot = (cx, cy, fill) => `<circle cx="${cx}" cy="${cy}" r="2.3" fill="${fill}"/>`

export function avatar(index = 0) {
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map(c => `hsl(${index * 47},${c})`)
	const box = h('')
	const half = `<path d="${EARS[index % 3]}"/>` + dot(17.5, 28, dark) + dot(13, 34, '#ef7d86')
	box.innerHTML = `<svg viewBox="0 0 48 48" class="avatar" aria-hidden="true" fill="${fur}"><path d="M0 0h48v48H0z" fill="${light}"/>
		<ellipse cx="24" cy="31" rx="16" ry="14"/>${half}<g transform="matrix(-1 0 0 1 48 0)">${half}</g>
		<path d="M23 32h2M20 35.5q2 2 4 0q2 2 4 0" fill="none" stroke="${dark}" stroke-width="1.8" stroke-linecap="round"/></svg>`
	return box.firstChild
}

async function command(it, act, fields) {
	const answer = await ask(it, 'owner', {act, ...fields})
	toast(answer.code ? refusal(answer) : t('done'))
	return !answer.code && answer
}

export const server = {name: 'parlor', addresses: [], rooms: []}

export async function where() {
	const answer = await call('/where')
	if (answer.status === 200) Object.assign(server, answer)
	view.changed()
}

/** As others reach it, not on localhost. */
function linkTo(it, key) {
	const near = /^(localhost|127\.|\[::1)/.test(location.hostname) && server.addresses[0]
	return `${near || location.origin}/#/room/${it.id}${key ? '?owner=' + key : ''}`
}
const qr = link => h('img.qr', {src: '/qr.svg?text=' + encodeURIComponent(link), alt: 'QR ' + link, onerror: e => e.target.remove()})

const wayIn = it => [qr(linkTo(it)), h('p.number', t('room', it.id))]
export async function share(it) {
	if (!server.addresses[0]) await where()
	dialog('share', '', wayIn(it), copyable('share', linkTo(it)))
}

export function board(it) {
	const aside = h('aside')
	const said = h('.said')
	function update() {
		it.read()
		renew(aside, [it.name, linkTo(it), net.state], () => [net.state !== 'online' && h('.bar', t(net.state)), h('h1', it.name), wayIn(it), h('p', linkTo(it)), h('a', {href: '#/room/' + it.id}, t('close'))])
		fill(said, it.entries.filter(e => e.text).slice(-12).map(e =>
			h('.big', avatar(it.faces[e.sender]), h('', h('bdi', e.name), h('', {dir: 'auto'}, e.text)))))
	}
	const el = h('main.board', aside, said)
	return {el, update, opened: update}
}

export function people(it) {
	const rank = m => (m.owner ? 0 : m.online ? 1 : 2) + m.name
	const is = m => [m.owner && t('owner'), t(m.online ? 'in' : 'out'), millis(m.muted) > Date.now() && t('muted')].filter(Boolean).join(' · ')
	const list = h('ul.people')
	const box = dialog('people', it.name, list)
	box.live = () => {
		const all = [...it.members.values()].sort((a, b) => rank(a).localeCompare(rank(b)))
		renew(list, [it.me.owner, all.map(m => m.name + is(m))], () => all.map(m => h('li', avatar(m.avatar), h('', h('bdi', m.name), h('small', is(m))),
			it.me.owner && sign('member', '⋯', () => member(it, m), m.name + ': ' + t('more')))))
	}
	box.live()
}

function member(it, m) {
	const pupil = !m.owner
	const name = bidi(m.name)
	const mute = minutes => command(it, 'mute', {user: m.id, minutes})
	const grave = (label, act, fields) => [label, () => sure(t(label) + ': ' + name, () => command(it, act, {user: m.id, ...fields})), true]
	menu(m.name, [
		pupil && ['mute', () => {
			const box = dialog('mute', t('mute') + ' ' + name, line('minutes', 'minutes', value => {mute(+value); box.close()}, {type: 'number', min: 1, max: 10080, value: 5}))
		}],
		m.muted && ['unmute', () => mute(0)],
		grave(pupil ? 'appoint' : 'dismiss', 'appoint', {on: pupil}),
		pupil && grave('kick', 'kick'), pupil && grave('keepOut', 'kick', {keepOut: true}), grave('wipe', 'wipe'),
	])
}

export function hands(it, el) {
	const {owner} = it.me
	const all = it.hands.map(user => it.members.get(user) || {id: user, name: user})
	renew(el, [owner, ...all.map(({name}) => name)], () => [all.map(({id, name}, i) =>
		h('button.chip', {disabled: !owner, title: t('lower'), 'data-act': 'lower', onclick: () => command(it, 'lower', {user: id})}, `✋ ${i + 1}. `, h('bdi', name))), owner && it.hands.length > 1 && button('lower-all', () => command(it, 'lower'), t('lower') + ' 1–' + it.hands.length)])
}

export async function settings(it) {
	let keptOut, told, bare
	const key = () => my.known(it.id).key

	async function look() {
		const ownerKey = key()
		told = it.told
		const [state, {code}] = await Promise.all([ask(it, 'owner', {act: 'state'}), ownerKey ? ask(it, 'join', {ownerKey}) : {}])
		if (!state.code) ({keptOut} = state)
		if (code === 10 && key() === ownerKey) my.remember(it.id, {key: null})
		return state
	}

	const toggle = (act, is) => h('label.line', t(act), h('input#' + act, {type: 'checkbox', role: 'switch', checked: it.state[is], async onchange({target}) {
		if (!await command(it, act, {on: target.checked})) target.checked = !target.checked
	}}))

	const state = await look()
	if (state.code) return toast(refusal(state))
	const rename = line('rename', 'roomName', name => command(it, 'rename', {name}))
	const body = h('')
	const box = dialog('settings', '', rename, line('password', 'newPassword', password => command(it, 'password', {password})), body)
	box.live = () => {
		const link = key() && linkTo(it, key())
		if (!it.me.owner) return box.close()
		// The link may be another.
		if (told !== it.told) look()
		rename.elements[0].defaultValue = it.name
		renew(body, [it.state.locked, it.state.quiet, keptOut.map(({user}) => user), link, bare, it.state.password], () => [
			it.state.password && button('open', () => command(it, 'password', {password: null})), toggle('lock', 'locked'), toggle('quiet', 'quiet'),
			keptOut.map(({user, name}) => button('allow', () => command(it, 'allow', {user}), t('allow', bidi(name)))),
			h('p', t('export'), ['html', 'txt', 'csv', 'json'].map(f => [' ', button(f, () => download(it, f), f)])),
			h('p', t('ownerHint')), link && (bare ? [qr(link), copyable('ownerHint', link)] : button('bare', () => {bare = true; box.live()})),
			button('anew', () => sure(t('anew'), async () => my.remember(it.id, {key: (await command(it, 'link')).ownerKey || key()}))), button('closeRoom', () => sure(t('closeRoom'), () => command(it, 'close')), undefined, 'danger')])
	}
	box.live()
}

async function download(it, format) {
	const answer = await fetch(`/rooms/${it.id}/export?format=${format}`, {headers: headers()}).catch(() => 0)
	if (!answer.ok) return toast(refusal(answer && await answer.json()))
	const href = URL.createObjectURL(await answer.blob())
	h('a', {href, download: `${it.name}.${format}`}).click()
	setTimeout(URL.revokeObjectURL, 60000, href)
}
