// The room's screen: header, bar, messages, composer.

import { avatar } from './avatar.js';
import { $, button, dialog, fill, h, menu, sign, sure, toast } from './dom.js';
import { lang, refusal, setLang, t } from './i18n.js';
import { List } from './list.js';
import { ask, call, hurry, net } from './net.js';
import { hands, people, settings, share } from './people.js';
import * as store from './store.js';
import { again, discard, edit, erase, leave, older, say, typing } from './sync.js';
import { bidi, clock, day, dayOf, linked, millis, snippet } from './text.js';

const MAX_CHARS = 4000;
/** Messages of one person so close together stand under one name. */
const GROUP_MS = 300000;
const phone = matchMedia('(hover: none) and (pointer: coarse)').matches;

/** The screen of a room; `update()` after any change. */
export function chat(it) {
	let reply = null;
	let editing = null;
	let caughtUp = 0;

	// ---- What stands in the list ----

	function rows() {
		const all = [{ key: 'top', sig: [it.loading, it.more, it.gone, it.name].join() }];
		const me = it.myId();
		let before = {};
		let date, divided;
		const push = (entry, key) => {
			const notice = entry.kind !== 'message';
			if (entry.sent && dayOf(entry.sent) !== date) {
				date = dayOf(entry.sent);
				all.push({ key: 'd' + date, day: entry.sent, sig: day(entry.sent) });
				before = {};
			}
			if (it.divider !== null && !divided && entry.seq > it.divider && !notice && entry.sender !== me) {
				divided = true;
				all.push({ key: 'new', sig: lang() });
				before = {};
			}
			if (notice) {
				// Who came and went one after the other, and what was deleted: one line each.
				if (before.kind === entry.kind && entry.kind !== 'notice') {
					before.row.notices.push(entry);
					before.row.sig = entry.seq + lang();
				} else {
					before = { kind: entry.kind, row: { key: 'n' + entry.seq, sig: entry.seq + lang(), notices: [entry] } };
					all.push(before.row);
				}
				return;
			}
			const first = before.sender !== entry.sender || entry.sent - before.sent > GROUP_MS;
			const quoted = entry.reply && it.bySeq.get(entry.reply);
			const row = { key, entry, first, quoted, own: entry.sender === me };
			row.sig = [first, entry.text, entry.modified, entry.failed ? 1 : 0, entry.seq ? 1 : 0, it.face(entry.sender), quoted && quoted.text].join('\n');
			all.push(row);
			before = entry;
		};
		for (const entry of it.entries) push(entry, 'm' + (entry.uuid || entry.seq));
		for (const item of it.pending) push({ ...item, kind: 'message', sender: me, sent: item.time, item }, 'm' + item.uuid);
		return all;
	}

	function draw({ key, entry, first, quoted, own, notices, day: at }) {
		if (key === 'top') {
			if (it.more || it.loading) return h('div.note', {}, it.loading ? t('loading') : button('older', t('older'), () => older(it)));
			return h('div.note', { 'data-gap': it.gone }, t(it.gone ? 'lost' : 'beginning', bidi(it.name)));
		}
		if (at) return h('div.day', {}, h('span', {}, day(at)));
		if (key === 'new') return h('div.unread', { role: 'separator', 'aria-label': t('new') }, t('new'));
		if (notices) return h('div.note', { 'data-kind': notices[0].kind }, told(notices));
		const state = entry.failed ? 'failed' : !entry.item ? 'sent' : 'sending';
		const actions = () => act(entry, own);
		return h('div.row' + (own ? '.own' : '') + (first ? '.first' : ''), {
			tabindex: -1, 'data-uuid': entry.uuid, 'data-state': own && state,
			onkeydown: (e) => e.key === 'Enter' && e.target.tabIndex < 0 && e.target.tagName === 'DIV' && actions(),
		},
		h('div.face', {}, first && !own && avatar(it.face(entry.sender))),
		h('div.bubble', {},
			first && !own && h('bdi.who', {}, entry.name),
			entry.reply && h('button.quote', { 'data-act': 'quoted', onclick: () => jump(entry.reply) },
				quoted && h('bdi', {}, quoted.name), h('span', { dir: 'auto' }, quoted && quoted.text ? snippet(quoted.text) : t('earlier'))),
			h('div.text', { dir: 'auto' }, linked(entry.text)),
			h('div.meta', {}, entry.modified && t('edited') + ' · ', h('time', {}, clock(entry.sent)),
				own && h('span.tick', { role: 'img', 'aria-label': state === 'failed' ? t('failed') : t(state) }, { sent: ' ✓', sending: ' ◌', failed: ' !' }[state])),
			entry.failed && h('div.failed', {}, t('failed') + ' ' + refusal(entry.failed),
				button('retry', t('retry'), () => again(it, entry.item)), button('discard', t('discard'), () => discard(it, entry.item)))),
		!entry.item && sign('actions', '⋯', t('actions'), actions));
	}

	function told(notices) {
		const { kind, user, frame } = notices[0];
		const n = notices.length;
		if (kind === 'deleted') return t('deleted', n);
		const names = [...new Set(notices.map((e) => bidi(e.user.name)))];
		const who = names.length > 3 ? t('others', names.slice(0, 2).join(', '), names.length - 2) : names.join(', ');
		if (kind !== 'notice') return t(kind, who);
		const { notice, to, target, on, until } = frame;
		const off = on === false || (notice === 'muted' && !until);
		const other = to || (target && target.name) || '';
		return t(notice, bidi(user.name), bidi(other)) && notice === 'renamed' ? t(notice, bidi(user.name), bidi(other))
			: t(notice + (off ? '-' : '+'), bidi(user.name), bidi(other), until && clock(millis(until))) || frame.content;
	}

	function act(entry, own) {
		const mayErase = own || it.myself().owner;
		menu(snippet(entry.text).slice(0, 40), [
			['reply', t('reply'), () => answer(entry)],
			own && ['edit', t('edit'), () => change(entry)],
			mayErase && ['delete', t('delete'), () => sure(t('delete'), () => erase(it, entry).then(complain)), true],
		]);
	}

	const complain = (result) => result.code && toast(refusal(result));

	// ---- The list ----

	const box = h('div.list#messages', { role: 'log', 'aria-label': t('messages'), tabindex: 0, onkeydown: walk });
	const list = new List(box, draw, moved);
	const toEnd = button('end', '', () => list.toEnd(), 'end');

	function moved() {
		toEnd.hidden = list.stick;
		if (box.scrollTop < 800 && box.clientHeight && net.state === 'online') older(it);
		attend();
	}

	/** Who looks has read it. */
	function attend() {
		if (list.stick && !document.hidden && document.hasFocus()) it.read();
		const n = it.unread();
		toEnd.textContent = '↓ ' + (n ? n + ' ' + t('new') : t('toEnd'));
	}

	/** Arrow keys go from message to message. */
	function walk(e) {
		const step = { ArrowUp: -1, ArrowDown: 1 }[e.key];
		if (e.key === 'Escape') text.focus();
		if (!step) return;
		e.preventDefault();
		const shown = [...box.querySelectorAll('.row')];
		const at = shown.indexOf(document.activeElement.closest('.row'));
		const next = shown[at < 0 ? shown.length - 1 : at + step];
		if (next) {
			next.focus({ preventScroll: true });
			next.scrollIntoView({ block: 'nearest' });
		}
	}

	/** To the message at a place, loading what is between. */
	async function jump(seq) {
		while (!it.bySeq.has(seq) && it.more && await older(it, 200));
		const { uuid } = it.bySeq.get(seq) || {};
		update();
		list.show('m' + uuid);
		const el = list.element('m' + uuid);
		if (!el) return;
		el.focus({ preventScroll: true });
		el.classList.add('found');
	}

	// ---- The composer ----

	const text = h('textarea#text', {
		rows: 1, 'aria-label': t('write'), dir: 'auto', oninput: grow, enterkeyhint: phone ? 'enter' : 'send',
		onkeydown(e) {
			if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && !phone) submit(e);
			else if (e.key === 'Escape') settle();
			else if (e.key === 'ArrowUp' && !text.value) {
				const mine = it.entries.filter((x) => x.kind === 'message' && x.sender === it.myId()).pop();
				if (mine) change(mine);
			}
		},
	});
	const context = h('div.context', { hidden: true });
	const note = h('div.why', { role: 'status' });

	function grow() {
		text.style.height = 'auto';
		text.style.height = text.scrollHeight + 2 + 'px';
		const over = [...text.value].length - MAX_CHARS;
		note.textContent = over > 0 ? t('tooLong', over) : '';
		if (text.value && !editing) typing(it);
	}

	function submit(e) {
		e.preventDefault();
		const said = text.value.trim();
		if (!said || [...said].length > MAX_CHARS || text.disabled) return;
		if (editing) edit(it, editing, said).then(complain);
		else {
			say(it, said, reply ? reply.seq : undefined);
			list.toEnd();
		}
		settle();
	}

	/** Back to a new message. */
	function settle(words = '') {
		if (editing || words === '') text.value = words;
		reply = editing = null;
		context.hidden = true;
		grow();
	}

	function about(label, entry) {
		context.hidden = false;
		fill(context, h('div', { dir: 'auto' }, h('b', {}, label), ' ', snippet(entry.text)), sign('cancel', '✕', t('cancel'), () => settle()));
		grow();
		text.focus();
	}

	function answer(entry) {
		if (editing) settle();
		reply = entry;
		about(t('replyTo', bidi(entry.name || '')), entry);
	}

	function change(entry) {
		settle();
		editing = entry;
		text.value = entry.text;
		about(t('edit'), entry);
	}

	// ---- Around it ----

	const title = h('button.title', { 'data-act': 'people', onclick: () => people(it) });
	const raise = () => ask('hand', { room: it.id, on: !it.hands.includes(it.myId()) }).then(complain);
	const hand = h('button.sign', { 'data-act': 'hand', 'aria-label': t('hand'), title: t('hand'), onclick: raise }, '✋');
	const queue = h('div.hands');
	const writing = h('div.writing', { 'aria-hidden': 'true' });
	const status = h('span', { role: 'status' });
	const seconds = h('span', { 'aria-hidden': 'true' });
	const hasty = button('now', t('now'), hurry);
	const bar = h('div.bar#bar', {}, status, ' ', seconds, hasty);

	function more() {
		const quiet = store.get('mute');
		menu(it.name, [
			it.myself().owner && ['settings', t('settings'), () => settings(it)],
			['people', t('people'), () => people(it)],
			['search', t('search'), search],
			['board', t('board'), () => { location.hash = `#/room/${it.id}/board`; }],
			['sound', t(quiet ? 'soundOn' : 'soundOff'), () => store.set('mute', quiet ? null : true)],
			['language', t('language'), () => switchLang()],
			['leave', t('leave'), () => sure(t('leave'), () => leave(it).then((r) => complain(r) || (location.hash = '#/'))), true],
		]);
	}

	function search() {
		const found = h('div.menu#found', { role: 'status' });
		const input = h('input#query', { 'aria-label': t('search'), type: 'search', dir: 'auto' });
		async function find(e, before) {
			e.preventDefault();
			const from = before ? '&before=' + before : '';
			const page = await call('GET', `/rooms/${it.id}/search?q=${encodeURIComponent(input.value)}${from}`);
			if (!before) fill(found);
			for (const { data } of page.data || []) {
				found.append(h('button.plain', { onclick: () => { close(); jump(data.seq); } },
					h('bdi', {}, data.name), ' ', h('small', {}, day(millis(data.sent))), h('div', { dir: 'auto' }, snippet(data.data.text))));
			}
			if (page.more) found.append(button('more', t('more'), function () { this.remove(); find(e, page.next); }));
			else if (!found.firstChild) found.textContent = page.code ? refusal(page) : t('nothing');
		}
		const close = dialog('search', t('search'), h('form', { onsubmit: find }, h('div.copy', {}, input, h('button.main', { type: 'submit' }, t('search'))), found));
	}

	const el = h('main.chat', {},
		h('header', {}, h('a.sign', { href: '#/', 'aria-label': t('back'), title: t('back') }, '‹'), title,
			hand, button('share', t('share'), () => share(it)), sign('more', '⋯', t('more'), more)),
		bar, queue,
		h('div.middle', {}, box, toEnd),
		h('div.foot', {}, writing, context, note,
			h('form.composer', { onsubmit: submit }, text, h('button.main.send', { type: 'submit', 'aria-label': t('send'), title: t('send') }, '↑'))));

	function state() {
		if (net.state !== 'online') return net.state === 'idle' ? 'connecting' : net.state;
		if (!it.loaded || it.cursor < it.goal) return 'catching';
		return it.lost ? 'lost' : 'online';
	}

	function tick() {
		const now = state();
		if (bar.dataset.state !== now) {
			bar.dataset.state = now;
			status.textContent = t(now);
			caughtUp = Date.now();
		}
		bar.classList.toggle('calm', now === 'online' && Date.now() - caughtUp > 2000);
		hasty.hidden = now !== 'waiting' && now !== 'lost';
		hasty.textContent = t(now === 'lost' ? 'close' : 'now');
		hasty.onclick = now === 'lost' ? () => { it.lost = false; update(); } : hurry;
		seconds.textContent = now === 'waiting' ? t('seconds', Math.max(0, Math.ceil((net.retryAt - Date.now()) / 1000))) : '';
		const { owner } = it.myself();
		const until = it.muted();
		const why = until ? t('mutedYou', clock(until)) : it.state.quiet && !owner ? t('onlyOwners') : '';
		text.disabled = Boolean(why);
		text.placeholder = why || t('write');
	}

	function update() {
		const names = [...it.typing.values()].map(bidi);
		const [online, all] = it.count();
		fill(title, h('h1', { dir: 'auto' }, it.name || t('room', it.id)),
			h('small', {}, (it.state.locked ? '🔒 ' : '') + (it.state.quiet ? '🤫 ' : '') + t('here', online, all)));
		fill(writing, names.length ? t('typing', names.slice(0, 2).join(', ') + (names.length > 2 ? ' +' + (names.length - 2) : '')) : '');
		hand.setAttribute('aria-pressed', it.hands.includes(it.myId()));
		hands(it, queue);
		if (it.loaded) list.set(rows());
		tick();
		attend();
	}

	const timer = setInterval(tick, 500);
	addEventListener('focus', attend);
	return {
		el,
		update,
		opened() {
			update();
			if (it.divider !== null) list.show('new', 80);
			if (!phone) text.focus();
		},
		gone() {
			clearInterval(timer);
			removeEventListener('focus', attend);
		},
	};
}

/** The other language, everywhere. */
export function switchLang() {
	setLang(lang() === 'en' ? 'zh' : 'en');
	store.set('lang', lang());
	dispatchEvent(new Event('hashchange'));
}
