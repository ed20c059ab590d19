// Rooms and the socket together: all that was missed comes, and what is sent goes once.

import {toast} from './dom.js'
import {refusal, t} from './i18n.js'
import {ask, call, net, send} from './net.js'
import {Room} from './room.js'
import * as my from './store.js'

const TYPING_MS = 5000
/** Entries that come over a slow line before `ask` gives up. */
const PAGE = 50

export const rooms = new Map()
/** `changed(room, entry just said)`, `title()`: set by app. */
export const view = {}
function changed(it, entry){
	pump()
	view.changed(it, entry)
}

// Another tab's draft was sent, not this one's.
addEventListener('storage', ()=>rooms.forEach(it=>it.draft.text && !my.get('draft.' + it.id) && it.keepDraft()))

export function room(id){
	if(!rooms.has(id)) rooms.set(id, new Room(id))
	return rooms.get(id)
}

net.changed = ()=>{
	if(net.state !== 'online') flying = null
	changed()
}

net.resume = ()=>Object.fromEntries([...rooms.values()].filter(it=>it.loaded).map(it=>[it.id, it.cursor]))

net.ended = ()=>rooms.forEach(it=>it.out())

net.heard = frame=>{
	const {type, user} = frame
	if(type === 'send') return answered(frame)
	const it = rooms.get(frame.room ?? frame.data?.room)
	if(!it) return
	let entry
	if(type === 'presence') it.presence(frame)
	else if(type === 'hands') it.hands = frame.users
	else if(type === 'typing') it.typing.set(user.id, {...user, until: Date.now() + TYPING_MS})
	else if(['kicked', 'closed'].includes(type)){
		my.set('why.' + it.id, it.out(type))
		if(type === 'closed') my.forget(it.id)
	}
	else if(frame.at){
		if(frame.at > it.cursor) it.live(frame)
		entry = it.take(frame)
		if(entry) it.typing.delete(entry.sender)
	}
	changed(it, entry)
}

net.greeted = (frame, renewed)=>rooms.forEach(it=>{
	const told = frame.rooms.find(r=>r.id === it.id), {loaded} = it
	if(!told?.complete || renewed) it.clear()
	if(!told) return it.out()
	Object.assign(it.state, told)
	it.member = 'yes'
	it.goal = told.at
	// The database is an older one.
	if(it.seen > it.goal) it.seen = it.goal
	it.missed ||= it.goal > it.cursor
	it.lost ||= loaded && !it.loaded
	it.quotes.clear()
	if(it.loaded) members(it)
	else load(it)
})

export async function load(it){
	if(it.loading || !await page(it)) return
	it.member = 'yes'
	it.cursor = Math.max(it.cursor, it.goal)
	if(it.seen === null) it.read()
	members(it)
	pump()
	// One begins to read where one was.
	for(let pages = 60; pages-- && it.low > it.seen && await older(it););
	it.lost ||= it.gone && it.low > it.seen + 1
}

export const older = it=>it.loaded && it.more && page(it, it.low)
/** Two who ask wait for one. */
function page(it, before){
	return it.loading ||= ask(it, 'history', {before, limit: PAGE}).then(res=>{
		it.loading = null
		if(!res.code) it.page(res)
		else if([3, 4].includes(res.code)) it.out()
		if(res.code !== -1) changed(it)
		return !res.code
	})
}

export function quote(it, seq){
	const quoted = {text: '…'}
	it.quotes.set(seq, quoted)
	ask(it, 'history', {after: seq - 1, limit: 1}).then(res=>{
		const {name, data} = (res.complete && res.data[0]?.data) || {}
		Object.assign(quoted, {name, text: res.code ? refusal(res) : data?.text || t('noMore')})
		changed(it)
	})
	return quoted
}

export async function members(it){
	const {code, data, state} = await ask(it, 'members')
	if(code) return
	it.setMembers(data)
	Object.assign(it.state, state)
	my.remember(it.id, {name: it.name})
	changed(it)
}

// One message in flight, so that none overtakes another; nobody sends what another wrote.
let flying, pause

function pump(){
	if(flying || pause) return
	for(const it of rooms.values()){
		it.pending.forEach(p=>p.failed ||= p.by !== my.by() && {code: 'late', msg: 1})
		const item = it.member === 'yes' && it.pending.find(p=>!p.failed)
		if(!item) continue
		const {uuid, text, reply} = item
		if(send({type: 'msg', uuid, room: it.id, reply, data: {type: 'Text', text}})) flying = {it, item}
		return
	}
}

function answered(frame){
	if(flying?.item.uuid !== frame.uuid) return
	const {it, item} = flying
	flying = null
	if(!frame.code) it.stored(frame)
	// What it answers was deleted meanwhile.
	else if(frame.code === 2 && item.reply) delete item.reply
	else if([7, 9].includes(frame.code)) pause = setTimeout(()=>{pause = 0; pump()}, 1e3 * (frame.retryAfter || 1))
	else it.keep(Object.assign(item, {failed: frame}))
	changed(it)
}

export function say(it, item){
	it.say(item)
	changed(it)
}

export async function change(it, entry, text){
	const {uuid} = entry, res = await ask(it, text ? 'edit' : 'delete', {uuid, data: {type: 'Text', text}})
	if(!res.code) Object.assign(entry, text ? {text, modified: true} : {kind: 'deleted', text: ''})
	changed(it)
	return res
}

let typed = 0
export function typing(it){
	if(Date.now() - typed < 3000) return
	typed = Date.now()
	send({type: 'typing', room: it.id})
}
/** `as` whom one asked first; `changed()`: not wanted any more. Answers `{id}`, or why not; `again`: nobody knows. */
export async function enter(path, body, changed, as = my.me()){
	const res = await call('/room/' + path, body, as), {status, success, code, data} = res
	if([0, 503].includes(status)) return {...res, again: true}
	if(status === 401 && my.me().token === as.token) my.set('me', null)
	const me = my.me()
	// Another tab was quicker.
	if(!success && me.token !== as.token) return enter(path, body, changed)
	// A void key is none.
	if(code === 'wrong_password' && body.ownerKey){
		if(body.ownerKey === my.known(body.roomId).key) my.remember(body.roomId, {key: null})
		toast(t('void'))
		return enter(path, {...body, ownerKey: my.known(body.roomId).key}, changed)
	}
	if(code === 'room_not_found') my.forget(body.roomId)
	if(!success) return res
	const {user, token, room: {id, roomId, roomName: name}, ownerKey: key = body.ownerKey} = data
	const extra = me.id !== user.id && (me.token || changed())
	if(my.known(id).roomId !== roomId) my.forget(id)
	// No room loses its owner.
	if(key || !extra) my.remember(id, {roomId, name, ...(key && {key})})
	if(extra){
		const left = await call('/room/leave', {roomId, userId: user.userId}, data)
		return left.success && !changed() ? enter('join', {...body, roomId, ownerKey: key}, changed) : {again: true}
	}
	if(!me.token) my.set('me', {id: user.id, token})
	my.set('seed', null)
	my.set('why.' + id, null)
	my.set('name', user.userName)
	return {id}
}

export async function leave(it){
	const res = await ask(it, 'leave')
	if(!res.code){
		rooms.delete(it.id)
		my.forget(it.id, true)
	}
	return res
}
