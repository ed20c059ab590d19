// A room as this page knows it. Frames go in; no socket, no document.

import {millis, t} from './i18n.js'
import * as my from './store.js'

export class Room {
	constructor(id){
		/** member: 'yes', 'no', or why no more: 'kicked', 'closed', 'gone'. '': not known yet. */
		Object.assign(this, {id, member: my.get('why.' + id) || '', members: new Map(), state: {name: my.known(id).name || t('room', id)}, hands: [], faces: {}, typing: new Map()})
		/** {text, about, edit, under: what waits beneath} */
		this.draft = {text: my.get('draft.' + id) || '', about: my.get('reply.' + id)}
		/** Own messages not known to be stored: {uuid, text, reply, sent, by, failed}. */
		this.pending = my.outbox().filter(p=>p.room === id)
		this.clear()
	}
	/** The text beneath, what an edit has changed, what it answers. */
	keepDraft(){
		const texts = []
		let reply
		for(let d = this.draft; d; d = d.under){
			if(!d.edit || d.text !== d.about.text) texts.unshift(d.text)
			if(!d.edit) reply ||= d.about
		}
		my.set('draft.' + this.id, texts.filter(Boolean).join('\n\n'))
		my.set('reply.' + this.id, reply)
	}
	/** `entries`: by `seq`, without a gap from `low` on; `late`: changes of what is being loaded; `cursor`: the
	 * greatest `at` of a frame; at `goal` all is there that was `missed`; `quotes`: {name, text} of what is not loaded. */
	clear(){
		Object.assign(this, {entries: [], bySeq: new Map(), byUuid: new Map(), quotes: new Map(), late: [], cursor: 0, goal: 0, low: 0, loaded: false, missed: true, more: true, gone: false, divider: null, seen: my.get('seen.' + this.id)})
	}

	out(why = this.member === 'yes' ? 'gone' : this.member || 'no'){
		this.clear()
		return this.member = why
	}
	/** Answers the entry if it is new. */
	take(frame){
		const {type, at, user, by, data: d} = frame, {uuid, seq, sender, name, sent, reply, modified} = d || frame
		this.cursor = Math.max(this.cursor, at)
		if(!['recv', 'deleted'].includes(type)) return !this.bySeq.has(at) && this.add({kind: type, seq: at, user, sent: millis(sent), frame})
		const known = this.byUuid.get(uuid) || this.bySeq.get(seq), [kind, text] = d ? ['message', d.data.text] : ['deleted', '']
		this.settle(uuid)
		if(known) return (known.kind === 'message' || !d) && !Object.assign(known, {kind, text, modified, by: by || known.by})
		if(seq === at) return this.add({kind, uuid, seq, sender, name, text, sent: millis(sent), reply, modified, by})
		// What is on its way may be as it was.
		this.quotes.delete(seq)
		if(this.loading) this.late.push(frame)
	}

	add(entry){
		let i = this.entries.length
		while(i && this.entries[i - 1].seq > entry.seq) i--
		this.entries.splice(i, 0, entry)
		this.bySeq.set(entry.seq, entry)
		if(entry.user) this.meet(entry.user)
		this.byUuid.set(entry.uuid, entry)
		return entry
	}

	page({data, next, more, complete}){
		[...data, ...this.late.splice(0)].forEach(this.take, this)
		Object.assign(this, {low: next, more, gone: !complete, loaded: true})
	}

	live({type, notice, user, target = {}, on, to, until, at}){
		const who = this.members.get(target.id) || {}
		if(notice) this.told = at
		if(type === 'joined') this.members.set(user.id, {...user, online: true})
		else if(type === 'left') this.members.delete(user.id)
		else if(notice === 'renamed') this.state.name = to
		else if(notice === 'muted') who.muted = until
		else if(notice === 'owner') Object.assign(who, {owner: on, muted: null})
		else if(notice) this.state[notice] = on
		// Another made the link anew, or dismissed who had it.
		const {id} = my.me()
		if(user?.id !== id && (notice === 'link' || (notice === 'owner' && !on && target.id === id))) my.remember(this.id, {key: null})
	}

	meet(user){
		this.faces[user.id] = user
	}

	setMembers(list){
		list.forEach(this.meet, this)
		this.members = new Map(list.map(m=>[m.id, m]))
		this.hands = list.filter(m=>m.hand).sort((a, b)=>a.hand - b.hand).map(m=>m.id)
	}

	presence({online = [], offline = [], onlineCount, memberCount}){
		this.counts = memberCount && [onlineCount, memberCount]
		for(const id of [...online, ...offline]) (this.members.get(id) || {}).online = online.includes(id)
	}

	count(){
		return this.counts || [[...this.members.values()].filter(m=>m.online).length, this.members.size]
	}

	get name(){
		return this.state.name
	}

	get me(){
		return this.members.get(my.me().id) || my.me()
	}

	unread(){
		const {id} = my.me()
		return this.entries.filter(e=>e.seq > this.seen && e.text && e.sender !== id).length
	}

	read(){
		const [last] = this.entries.slice(-1)
		if(!(last?.seq > this.seen)) return false
		my.set('seen.' + this.id, this.seen = last.seq)
		return true
	}
	/** `{text, reply}`, or what failed once more. */
	say(item){
		this.divider = null
		if(!item.uuid) this.pending.push(Object.assign(item, {uuid: my.uuid(), sent: Date.now()}))
		this.keep(Object.assign(item, {failed: null, by: my.by()}))
	}

	keep(item){
		my.set('out.' + item.uuid, {...item, room: this.id})
	}

	settle(uuid){
		const item = this.pending.find(p=>p.uuid === uuid)
		if(item) my.set('out.' + uuid, null)
		this.pending = this.pending.filter(p=>p !== item)
		return item
	}

	stored({uuid, seq, sent}){
		const item = this.settle(uuid)
		if(item && !this.byUuid.has(uuid)) this.add({...item, by: undefined, kind: 'message', seq, sender: this.me.id, name: this.me.name, sent: millis(sent)})
	}
}
