// The page: which screen is shown, the title, the sound.

import {chat} from './chat.js'
import {$, closeAll, fill} from './dom.js'
import {home, reference} from './home.js'
import {start} from './net.js'
import {board, server, where} from './people.js'
import * as my from './store.js'
import {load, room, rooms, view} from './sync.js'

const SOUND_MS = 4e3
let screen, waiting, audio, heard = 0
/** `#/room/7`, `#/room/7?owner=KEY`, `#/room/7/board` */
function route(){
	const [wanted, key] = reference(location.hash), it = wanted > 0 && room(wanted)
	const inside = it && !key && (it.member === 'yes' || (!it.member && my.me().token)) && it
	closeAll()
	screen = inside ? (location.hash.endsWith('board') ? board : chat)(it) : home(wanted, key, it.member?.length > 3 && it.member, entered)
	screen.it = inside
	fill($('app'), screen.el)
	screen.el.tabIndex = -1
	screen.el.focus()
	if(inside){
		start()
		where()
		if(!it.loaded) load(it)
	}
	screen.opened?.()
	view.title()
}

function entered(id){
	// No key stays in the address bar.
	history.replaceState(null, '', '#/room/' + id)
	rooms.delete(id)
	start()
	route()
}

view.changed = (it, entry)=>{
	if(entry?.text && entry.sender !== it.me.id && !document.hasFocus()) sound()
	waiting ||= setTimeout(()=>{
		const member = screen.it?.member
		waiting = 0
		if(member && member !== 'yes') route()
		else screen.update?.()
		view.title()
	}, 16)
}

view.title = ()=>{
	const n = [...rooms.values()].reduce((sum, it)=>sum + it.unread(), 0)
	document.title = (n ? `(${n}) ` : '') + (screen.it ? screen.it.name + ' · ' : '') + server.name
}

// A page may be heard after it was touched.
onpointerdown = onkeydown = ()=>{audio ||= new AudioContext()}

function sound(){
	if(!audio || my.get('mute') || Date.now() - heard < SOUND_MS) return
	heard = Date.now()
	const tone = audio.createOscillator(), gain = audio.createGain()
	gain.gain.value = .05
	tone.connect(gain).connect(audio.destination)
	tone.start()
	tone.stop(audio.currentTime + .15)
}

onhashchange = route
setInterval(()=>screen.tick?.(), 500)
onfocus = view.changed
// Typed before a reload.
my.outbox().forEach(p=>room(p.room))
start()
route()
