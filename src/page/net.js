// HTTP, and one WebSocket that comes back by itself. Knows no rooms.

import {lang} from './i18n.js'
import * as my from './store.js'

const QUIET_MS = 2e4
const ANSWER_MS = 8e3
const WAKE_MS = 3e3
const LONGEST_WAIT_MS = 2e4
/** state: idle, connecting, online, waiting (until `retryAt`), ended. sync sets its functions. */
export const net = {state: 'idle'}
/** Whatever becomes of the clock. */
const now = ()=>performance.now()

let ws, token, epoch, retry, tries = 0, heard = 0, due = 0, ids = 0
const asked = new Map()
export const headers = ({token} = my.me())=>({'Accept-Language': lang(), ...(token && {Authorization: 'Bearer ' + token})})
/** `status` 0: nobody answered. In the cache one call would wait for another. */
export async function call(path, body, as){
	const late = new AbortController()
	setTimeout(()=>late.abort(), ANSWER_MS)
	try {
		const res = await fetch(path, {method: body && 'POST', headers: headers(as), body: JSON.stringify(body), cache: 'no-store', signal: late.signal})
		return {...await res.json(), status: res.status}
	} catch {
		return {status: 0, code: -1}
	}
}

function become(state){
	net.state = state
	net.changed()
}

export function start(){
	const me = my.me()
	if(ws && token === me.token) return
	stop()
	token = me.token
	if(!token) return become('idle')
	ws = new WebSocket(location.origin.replace('http', 'ws') + '/ws')
	due = now() + ANSWER_MS
	ws.onopen = ()=>ws.send(JSON.stringify({type: 'auth', token, v: 1, resume: epoch && net.resume(), epoch}))
	ws.onmessage = ({data})=>{
		const frame = JSON.parse(data)
		heard = now()
		if(frame.type === 'auth') return greeted(frame)
		due = 0
		const settle = asked.get(frame.id)
		asked.delete(frame.id);
		(settle || net.heard)(frame)
	}
	// 4001 to 4003 are for good, unless another tab is another by now.
	ws.onclose = ({code})=>(code > 4000 && code < 4004 && (my.me().token || token) === token ? end() : drop())
	become('connecting')
}

function greeted(frame){
	if(frame.code) return frame.code < 4 ? end() : drop()
	due = tries = 0
	net.state = 'online'
	net.greeted(frame, epoch && epoch !== frame.epoch)
	epoch = frame.epoch
	net.changed()
}

function stop(){
	clearTimeout(retry)
	if(ws){
		ws.onmessage = ws.onclose = null
		ws.close()
	}
	ws = null
	due = 0
	asked.forEach(settle=>settle({code: -1}))
	asked.clear()
}

function end(){
	stop()
	if(my.me().token === token) my.set('me', null)
	net.ended()
	become('ended')
}
/** With jitter: thirty phones do not come back at one moment. */
function drop(){
	stop()
	const wait = 200 + Math.random() * Math.min(LONGEST_WAIT_MS, 1e3 * 2 ** tries++)
	net.retryAt = now() + wait
	retry = setTimeout(start, wait)
	become('waiting')
}

export function hurry(){
	if(net.state === 'waiting') start()
	else if(send({type: 'ping'})) due = Math.min(due, now() + WAKE_MS)
}

setInterval(()=>{
	if(due && now() > due) drop()
	else if(!due && now() - heard > QUIET_MS) send({type: 'ping'})
}, 1e3)
for(const event of ['online', 'offline', 'focus', 'visibilitychange']) addEventListener(event, hurry)
addEventListener('storage', ()=>net.state === 'online' || start())

export function send(frame){
	if(net.state !== 'online' || ws.readyState !== 1) return false
	ws.send(JSON.stringify({lang: lang(), ...frame}))
	due ||= now() + ANSWER_MS
	return true
}
/** Its answer; code -1: there was none. */
export const ask = (it, type, fields)=>new Promise(settle=>{
	const sent = send({type, id: ++ids, room: it.id, ...fields})
	if(sent) asked.set(ids, settle)
	setTimeout(settle, sent && ANSWER_MS, {code: -1})
})
