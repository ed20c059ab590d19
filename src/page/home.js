// The first screen, and the door of a room one is not in.

import {$, btn, field, fill, form, h, input, renew} from './dom.js'
import {bidi, lang, refusal, switchLang, t} from './i18n.js'
import {server, where} from './people.js'
import * as my from './store.js'
import {enter} from './sync.js'

const AGAIN_MS = 2000

export function reference(text){
	const [, room, , key] = text.normalize('NFKC').toLowerCase().trim().match(/^(?:.*\/room\/|#)?(\d{1,15}|[0-9a-f]{32})(\/board)?\/?(?:\?owner=([0-9a-f]+))?$/) || []
	return room ? [room.length < 16 ? +room : room, key] : []
}
/** `wanted`: the room to join, with its owner's `key`; `why` one is out of it. */
export function home(wanted, key, why, entered){
	const error = h('p.error', {role: 'alert'}), busy = h('p', {role: 'status'}, t('connecting')), told = h('', error, busy)
	const stop = ()=>fill(busy, pressed = null), el = h('main.home', {oninput: e=>$(at).contains(e.target) && stop()}, told)
	const [name, myName] = ['name', 'my-name'].map(id=>input(id, {value: my.get('name')})), room = input('room')
	const roomName = input('room-name')
	const [password, roomPassword] = ['password', 'room-password'].map(id=>input(id, {type: 'password', required: false}))
	/** `pressed`: the request under way, in the card `at`; `refused`: its answer. */
	let pressed, at = 'join', refused, locked
	const listed = (id = wanted)=>server.rooms.find(room=>room.id === id), text = ({value})=>value.trim() || undefined
	/** Where one pressed, in the language of now. */
	function tell(res){
		refused = res
		fill(error, res && refusal(res))
		fill(busy, pressed && t('connecting'))
		if(pressed) told.scrollIntoView({block: 'nearest'})
	}

	async function attempt(path, fields){
		const request = my.request(path + JSON.stringify(fields))
		if(pressed === request) return
		const as = my.me(), changed = ()=>el.isConnected && pressed !== request
		pressed = request
		$(at = path).append(told)
		tell()
		let res
		while((res = await enter(path, {v: 1, listed: true, request, ...fields}, changed, as)).again){
			if(!changed()) tell(res)
			await new Promise(again=>setTimeout(again, AGAIN_MS))
			if(pressed !== request || !el.isConnected) return
		}
		// Who has turned away stays there.
		if(!el.isConnected || (pressed && changed())) return
		if(res.id) return pressed && entered(res.id)
		if(!pressed) return tell(res)
		locked ||= res.code === 'wrong_password';
		(path === 'join' ? name : myName).value = res.suggest || fields.userName || ''
		draw()
		if(wanted) (locked ? password : name).focus()
		tell(res)
		stop()
	}

	function join(){
		const [roomId = text(room), ownerKey = my.known(roomId).key] = wanted ? [wanted, key] : reference(room.value)
		attempt('join', {roomId, ownerKey, roomPassword: text(password), userName: text(name)})
	}
	const make = ()=>attempt('create', {roomName: text(roomName), roomPassword: text(roomPassword), userName: text(myName)})
	const card = (id, title, act, ...fields)=>form('.card#' + id, act, h('h2', title), fields, h('button.main', title), id === at && told)
	const unsent = [...my.outbox().filter(p=>p.room === wanted).map(p=>p.text), my.get('draft.' + wanted)].filter(Boolean).join('\n\n')
	const door = ()=>[unsent && field('failed', h('textarea#unsent', {readonly: true, rows: 4}, unsent)),
		card('join', t('join') + ' ' + bidi((listed() || my.known(wanted)).name || t('room', wanted)), join, field('yourName', name), locked && field('password', password))]

	function all(){
		// The number may be another's now.
		const rooms = [...my.rooms().map(room=>listed(room.id) || room), ...server.rooms.filter(({id})=>!my.known(id).name)]
		return [rooms[0] && h('nav.card#rooms', h('h2', t('rooms')), rooms.map(({id, name, password}) =>
			h('a.soft', {href: '#/room/' + id}, h('bdi', name), password && ' 🔒', ' ', h('small', id)))),
		card('join', t('join'), join, field('roomRef', room), field('yourName', name), field('optional', password)),
		!server.closed && card('create', t('make'), make, field('roomName', roomName), field('yourName', myName), field('optional', roomPassword))]
	}

	function draw(){
		renew(el, [lang(), !!locked, server.status], ()=>[h('header', h('img', {src: '/page/icon.svg', alt: ''}), h('h1', server.name)), why && h('p.error', {role: 'alert'}, t(why)), wanted ? door() : all(),
			h('footer', wanted && h('a', {href: '#/'}, t('back')), btn('language', ()=>{switchLang(); draw()}, t('language'), 'plain'))])
		tell(refused)
	}

	const look = first=>where().then(known=>{
		if(!el.isConnected) return
		locked ||= !key && listed()?.password
		draw()
		if(!known) setTimeout(look, AGAIN_MS)
		if(first && wanted && !why && my.get('name') && (!locked || my.known(wanted).key)) join()
	})
	look(true)
	return {el}
}
