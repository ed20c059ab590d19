// The first screen, and the door of a room one is not in.

import {button, field, fill, form, h, input, renew} from './dom.js'
import {bidi, lang, refusal, switchLang, t} from './i18n.js'
import {server, where} from './people.js'
import * as my from './store.js'
import {enter} from './sync.js'

const AGAIN_MS = 2000

export function reference(text) {
	const [, room, , key] = text.trim().match(/^(?:.*\/room\/)?(\d{1,15}|[0-9a-f]{32})(\/board)?(?:\?owner=([0-9a-f]+))?$/) || []
	return room ? [room.length < 16 ? Number(room) : room, key] : []
}

/** `wanted`: the room to join, with its owner's `key`; `why` one is out of it. */
export function home(wanted, key, why, entered) {
	const error = h('p.error', {role: 'alert'})
	const busy = h('p', {role: 'status'}, t('connecting'))
	const stop = () => fill(busy, pressed = null)
	const el = h('main.home', {oninput: stop}, busy)
	const [name, myName] = ['name', 'my-name'].map(id => input(id, {value: my.get('name')}))
	const room = input('room')
	const roomName = input('room-name')
	const [password, roomPassword] = ['password', 'room-password'].map(id => input(id, {type: 'password', required: false}))
	let request = my.uuid(), locked, pressed
	const listed = (id = wanted) => server.rooms.find(room => room.id === id)
	const text = ({value}) => value.trim() || undefined

	async function attempt(path, fields) {
		const body = pressed = {listed: true, request, ...fields}
		fill(error)
		fill(busy, t('connecting'))
		let answer
		// The same request makes no second guest.
		while ([0, 503].includes((answer = await enter(path, body)).status)) {
			fill(error, refusal(answer))
			await new Promise(again => setTimeout(again, AGAIN_MS))
			if (pressed !== body || !el.isConnected) return
		}
		if (answer.id) return entered(answer.id)
		if (pressed !== body) return pressed || fill(error, refusal(answer))
		stop()
		request = my.uuid()
		locked ||= answer.code === 'wrong_password'
		my.set('name', name.value = myName.value = answer.suggest || body.userName || '')
		draw()
		fill(error, refusal(answer))
		if (wanted) (locked ? password : name).focus()
	}

	function join() {
		const [roomId = text(room), ownerKey = my.known(roomId).key] = wanted ? [wanted, key] : reference(room.value)
		attempt('join', {roomId, ownerKey, roomPassword: text(password), userName: text(name)})
	}
	const make = () => attempt('create', {roomName: text(roomName), roomPassword: text(roomPassword), userName: text(myName)})

	const card = (id, title, act, ...fields) => form('.card#' + id, act, h('h2', title), ...fields, h('button.main', title))

	const unsent = [...my.outbox().filter(p => p.room === wanted).map(p => p.text), my.get('draft.' + wanted)].filter(Boolean).join('\n\n')

	const door = () => [unsent && field('failed', h('textarea#unsent', {readonly: true, rows: 4}, unsent)),
		card('join', t('join') + ' ' + bidi((listed() || my.known(wanted)).name || t('room', wanted)), join, field('yourName', name), locked && field('password', password))]

	function all() {
		// The number may be another's now.
		const rooms = [...my.rooms().map(room => listed(room.id) || room), ...server.rooms.filter(({id}) => !my.known(id).name)]
		return [rooms[0] && h('nav.card#rooms', h('h2', t('rooms')), rooms.map(({id, name, password}) =>
			h('a.soft', {href: '#/room/' + id}, h('bdi', name), password && ' 🔒', ' ', h('small', id)))),
		card('join', t('join'), join, field('roomRef', room), field('yourName', name), field('optional', password)),
		!server.closed && card('make', t('make'), make, field('roomName', roomName), field('yourName', myName), field('optional', roomPassword))]
	}

	function draw() {
		fill(error, t(why))
		renew(el, [lang(), locked], () => [h('header', h('img', {src: '/page/icon.svg', alt: ''}), h('h1', server.name)), error, busy, ...(wanted ? door() : all()),
			h('footer', wanted && h('a', {href: '#/'}, t('back')), button('language', () => {switchLang(); draw()}, t('language'), 'plain'))])
	}

	async function begin() {
		await where()
		locked = !key && listed()?.password
		stop()
		draw()
		if (wanted && !why && my.get('name') && (!locked || my.known(wanted).key)) join()
	}
	begin()
	return {el}
}
