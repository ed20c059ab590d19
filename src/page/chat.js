// The room's screen: header, bar, messages, composer.

import {active, btn, calmly, closeAll, complain, dialog, fill, follow, form, h, line, menu, renew, sign, sure, toast} from './dom.js'
import {bidi, clock, day, dayOf, millis, switchLang, t, when} from './i18n.js'
import {longList} from './list.js'
import {ask, call, hurry, net} from './net.js'
import {avatar, grave, hands, people, settings, share} from './people.js'
import * as my from './store.js'
import {change, leave, load, members, older, quote, say, typing, view} from './sync.js'

const MAX_CHARS = 4000
const GROUP_MS = 3e5, phone = matchMedia('(pointer:coarse)').matches
/** Without the sentence around it. */
const ADDRESS = /(\bhttps?:\/\/(?:[.,;:!?*]*(?:\([^\s()]*\)|[^\s<>"'`()、-」！-；？.,;:!?*]))+)/i
const linked = text=>text.split(ADDRESS).map((part, i)=>i % 2 ? h('a', {href: part, dir: 'ltr', target: '_blank', rel: 'noreferrer'}, part) : part)
const snippet = (text = '')=>text.length > 90 ? text.slice(0, 90) + '…' : text
const said = ({name, text})=>[name && h('bdi', name), ' ', h('span', snippet(text) || t('noMore'))]

function told(it, all){
	const {kind, frame, by} = all[0]
	if(kind === 'deleted') return t(by ? 'deleted+' : kind, all.length, bidi(it.faces[by]?.name || t('owner')))
	const names = [...new Set(all.map(e=>bidi(e.user.name)))], {notice, to, target = {}, on, until} = frame
	const who = names.slice(0, 3).join(', ') + (names.length > 3 ? ' +' + (names.length - 3) : '')
	if(!notice) return t(kind, who)
	return t(notice + (on === false || until === null ? '-' : '+'), who, bidi(to || target.name), until && when(millis(until)))
}

export function chat(it){
	let calm, shown = it.draft, ticks = 0, hush = 0
	const cited = seq=>it.bySeq.get(seq) || it.quotes.get(seq)

	function rows(){
		const all = [{key: 'top', spec: '.note', sig: t(it.more ? 'catching' : it.gone ? 'lost' : 'begins', bidi(it.name))}]
		const {id} = it.me
		let before = {}, date, divided
		const push = row=>(before = {}, all.push(row), row), item = entry=>{
			const {kind, seq, sent, sender, text, by} = entry, own = sender === id
			if(sent && dayOf(sent) !== date) push({key: 'd' + (seq || entry.uuid), spec: '.day', sig: day(date = dayOf(sent))})
			if(it.divider !== null && !divided && seq > it.divider && text && !own) divided = push({key: 'new', spec: '.unread', sig: t('new')})
			if(kind === 'message'){
				const first = before.sender !== sender || sent - before.sent > GROUP_MS, quoted = cited(entry.reply)
				all.push({key: 'm' + entry.uuid, sig: [first, text, entry.modified, entry.failed?.msg, seq, it.faces[sender]?.avatar, quoted?.text].join(), entry, first, own, quoted})
				before = entry
				return
			}
			// Who came and went together is one line.
			const row = before.kind === kind && before.by === by && kind !== 'notice' ? before.row : push({key: 'n' + seq, spec: '.note', notices: []})
			row.notices.push(entry)
			row.sig = [seq, it.faces[by]?.name].join()
			before = {kind, by, row}
		}
		it.entries.forEach(item)
		it.pending.forEach(p=>item(Object.assign(p, {kind: 'message', sender: id})))
		return all
	}

	function draw({spec, sig, notices, entry, first, own, quoted}){
		if(spec) return h(spec, notices ? told(it, notices) : sig)
		const {text, reply, uuid, seq, failed, modified, sender, sent} = entry
		if(reply) quoted ||= quote(it, reply)
		const state = seq ? 'sent' : failed ? 'failed' : 'sending'
		return h('.row' + (own ? '.own' : '') + (first ? '.first' : ''), {'data-uuid': uuid, 'data-state': own && state, 'aria-live': own && seq && 'off'},
			!own && h('.face', first && avatar(it.faces[sender])),
			h('.bubble', h(first && !own ? 'bdi' : 'bdi.unseen', entry.name || it.me.name),
				reply && h('button.quote', {onclick: ()=>jump(reply)}, said(quoted)),
				h('.text', {dir: 'auto'}, linked(text), ' ', h('small', modified && t('edited') + ' ', clock(sent), own && h('span', {role: 'img', 'aria-label': t(state)}, {sent: ' ✓', sending: ' ◌', failed: ' !'}[state]))),
				failed && h('.failed', h('', `${t('failed')}: ${t({late: 'late', 4: 'gone', 5: failed.retryAfter ? 'muted' : 'quiet'}[failed.code]) || failed.msg}`), btn('retry', ()=>it.pending.filter(p=>p.failed).forEach(p=>say(it, p))), ' ', btn('delete', ()=>{it.settle(uuid); update()}))),
			seq && sign('actions', '⋯', ()=>menu(entry.name, [
				['reply', ()=>write(entry)],
				own && ['edit', ()=>write(entry, true)],
				(own || it.me.owner) && ['delete', ()=>sure(t('delete'), ()=>change(it, entry).then(complain)), true],
				!own && it.me.owner && grave(it, {id: sender, name: entry.name}, 'wipe'),
			]), (entry.name || it.me.name) + ': ' + t('more')))
	}

	const box = h('.list#messages', {role: 'log', 'aria-label': t('messages'), tabindex: 0})
	const list = longList(box, draw, ()=>{
		if(box.scrollTop < 800) older(it)
		attend()
	})
	const end = btn('newest', ()=>list.toEnd(), '', 'main.end'), sees = ()=>list.stick && !it.missed && document.hasFocus()
	function hide(el, is){
		if(is && active() === el) box.focus()
		el.hidden = is
	}

	function attend(late){
		if(sees() && it.read()) view.title()
		hide(end, list.stick)
		// What scrolling and coming back draw is not news.
		if(late) hush = Date.now() + 1e3
		box.setAttribute('aria-live', list.stick && Date.now() > hush ? 'polite' : 'off')
		const n = it.unread()
		end.textContent = '↓ ' + (n ? `${n} ${t('new')}` : t('newest'))
	}

	async function jump(seq){
		while(!it.bySeq.has(seq) && await older(it))
		if(!box.isConnected) return
		list.set(rows())
		const el = list.show('m' + it.bySeq.get(seq)?.uuid)
		if(!el) return toast(t(net.state === 'online' ? 'noMore' : 'silence'))
		el.classList.add('found')
		el.lastChild.focus(calmly)
	}

	const context = h('.context'), why = h('.failed#why', {role: 'status'})
	const text = h('textarea#text', {rows: 1, placeholder: t('write'), 'aria-label': t('write'), 'aria-describedby': 'why', dir: 'auto', oninput(){
		shown.text = text.value
		it.keepDraft()
		grow()
		shown.edit || typing(it)
	}, onkeydown(e){
		if(e.key !== 'Enter' || e.shiftKey || e.keyCode === 229 || phone) return
		e.preventDefault()
		go()
	}})

	function grow(){
		text.style.height = 'auto'
		text.style.height = text.scrollHeight + 2 + 'px'
		if(list.stick) list.toEnd()
		judge()
	}
	/** Why this cannot be sent. */
	function judge(){
		const over = [...text.value].length - MAX_CHARS, silent = it.me.muted ? t('mutedYou', when(millis(it.me.muted))) : it.state.quiet && !it.me.owner && t('quiet')
		renew(why, silent || t(over > 0 && 'tooLong', over), ()=>why.sig)
		text.readOnly = silent
		text.setAttribute('aria-disabled', !!silent)
	}

	async function go(){
		const draft = shown, raw = draft.text
		// No server takes half a character.
		const words = raw.trim().replace(/\p{Cs}/gu, '\ufffd')
		if(!words || why.textContent) return
		if(draft.edit){
			const res = words === draft.about.text ? {} : await change(it, it.byUuid.get(draft.about.uuid) || draft.about, words)
			if(res.code || draft.text !== raw) return complain(res)
		} else {
			say(it, {text: words, reply: draft.about?.seq})
			it.read()
			list.toEnd()
		}
		if(shown === draft) show(draft.under || {text: ''})
	}
	/** Above the text: what that is about, as it stands now. */
	function cite(){
		const {about, edit, under} = shown, is = about && (cited(about.seq) || (it.loaded && quote(it, about.seq)) || about)
		renew(context, [edit, is?.name, is?.text], ()=>is && [h('', h('b', t(edit ? 'edit' : 'reply')), ' ', said(is)), sign('cancel', '✕', ()=>show(edit ? under : {...shown, about: null}), t('close'))])
	}

	function show(draft, still){
		it.draft = shown = draft
		text.value = draft.text
		it.keepDraft()
		cite()
		grow()
		if(!still) text.focus()
	}
	/** An answer to `about`, or its new text. */
	const write = (about, edit)=>show(shown.edit || edit ? {text: edit ? about.text : '', about, edit, under: shown} : {...shown, about})

	async function find(value, form, page = {next: 1e15}){
		const hits = []
		do {
			page = await call(`/rooms/${it.id}/search?q=${encodeURIComponent(value)}&before=${page.next}`)
			hits.push(...(page.data || []))
		} while(page.more && hits.length < 50)
		if(!hits[0]) return complain(page) || toast(t('nothing'))
		menu(value, [...hits.map(({data: d})=>['hit', ()=>{closeAll(); jump(d.seq)}, false, `${bidi(d.name)}, ${day(millis(d.sent))}: ${bidi(snippet(d.data.text))}`]), page.more && ['more', ()=>find(value, form, page)]])
	}

	const title = btn('people', ()=>people(it), '', 'title'), raised = ()=>it.hands.includes(it.me.id)
	const hand = sign('hand', '✋', ()=>ask(it, 'hand', {on: !raised()}).then(complain)), queue = h('.hands', {tabindex: 0})
	const writing = h('.writing', {'aria-hidden': true}), status = h('span', {role: 'status'})
	const seconds = h('span', {'aria-hidden': true}), now = btn('retry', ()=>{it.lost = false; hurry()})
	const bar = h('.bar#bar', status, seconds, now)
	const el = h('main.chat', h('header', h('a.sign', {href: '#/', 'aria-label': t('back')}, '‹'), title, hand, btn('share', ()=>share(it)), sign('more', '⋯', ()=>menu(it.name, [
		it.me.owner && ['settings', ()=>settings(it)],
		['search', ()=>dialog('search', '', line('query', 'search', find))],
		['board', ()=>{location.hash += '/board'}],
		['sound', ()=>my.set('mute', !my.get('mute')), false, t('sound') + (my.get('mute') ? ' ✕' : ' ✓')],
		['language', ()=>{switchLang(); onhashchange()}],
		['leave', ()=>sure(t('leave') + t(my.known(it.id).key && 'keyStays'), ()=>leave(it).then(res=>complain(res) || (location.hash = '#/'))), true],
	]))),
		queue, h('.middle', box, bar, end),
		h('.foot', writing, context, why, form('.line', go, text, h('button.main.sign.send', {'aria-label': t('send')}, '↑'))))

	function tick(){
		follow()
		const names = [...it.typing.values()].filter(({until})=>until > Date.now()).slice(0, 3).map(({name})=>bidi(name))
		writing.textContent = t(names[0] && 'typing', names.join(', '))
		// Only the server's clock knows when a mute ends.
		if(it.me.muted && ++ticks % 10 === 0) members(it)
		const state = net.state !== 'online' ? net.state : it.missed ? 'catching' : it.lost ? 'lost' : 'online'
		if(!it.loaded) load(it)
		if(bar.dataset.state !== state){
			bar.dataset.state = state
			status.textContent = t(state)
			calm = Date.now() + 2e3
		}
		bar.classList.toggle('calm', state === 'online' && Date.now() > calm)
		const act = {waiting: 'retry', lost: 'close'}[state]
		seconds.textContent = t(act === 'retry' && 'seconds', Math.ceil((net.retryAt - performance.now()) / 1e3))
		hide(now, !act)
		now.textContent = t(act)
		judge()
		attend()
	}

	function update(){
		const {missed} = it
		fill(title, h('h1', it.name), h('small', it.state.locked && '🔒 ', t('here', ...it.count())))
		hand.setAttribute('aria-pressed', raised())
		hands(it, queue)
		if(!shown.edit && it.bySeq.get(shown.about?.seq)?.kind === 'deleted') show({...shown, about: null}, true)
		cite()
		if(!sees() && (it.missed || it.unread())) it.divider = it.unread() ? it.seen : null
		list.set(rows())
		if(it.loaded && it.missed && !it.loading){
			if(list.stick) list.show('new')
			it.missed = it.cursor < it.goal
		}
		tick()
		attend(missed)
	}

	return {el, update, tick, opened(){
		it.missed = true
		update()
		show(it.draft, phone)
	}}
}
