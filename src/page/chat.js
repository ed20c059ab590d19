// The room's screen: header, bar, messages, composer.

import { avatar } from './avatar.js';
import { button, closeAll, dialog, field, fill, h, menu, sign, submit, sure, toast } from './dom.js';
import { lang, refusal, setLang, t } from './i18n.js';
import { List } from './list.js';
import { ask, call, hurry, net } from './net.js';
import { hands, people, settings, share } from './people.js';
import * as store from './store.js';
import { change, leave, load, older, say, typing } from './sync.js';
import { bidi, clock, day, dayOf, linked, millis, snippet } from './text.js';

const MAX_CHARS = 4000;
const GROUP_MS = 300000;
const phone = matchMedia('(hover: none) and (pointer: coarse)').matches;
const complain = (answer) => answer.code && toast(refusal(answer));

function told(all) {
	const { kind, user, frame } = all[0];
	if (kind === 'deleted') return t('deleted', all.length);
	const names = [...new Set(all.map((e) => bidi(e.user.name)))];
	const who = names.slice(0, 3).join(', ') + (names.length > 3 ? ' +' + (names.length - 3) : '');
	const { notice, to, target = {}, on, until, content } = frame;
	if (!notice) return t(kind, who);
	const sense = on === false || (notice === 'muted' && !until) ? '-' : '+';
	return t(notice + sense, who, bidi(to || target.name), until && clock(millis(until))) || content;
}

export function chat(it) {
	let about, editing, calm;

	function rows() {
		const all = [{ key: 'top', sig: [it.more, it.gone, it.name].join() }];
		let before = {};
		const { id } = it.me;
		let date, divided;
		const push = (row) => {
			all.push(row);
			before = {};
			return row;
		};
		const item = (entry) => {
			const { kind, seq, sent, sender, text } = entry;
			const own = sender === id;
			if (sent && dayOf(sent) !== date) push({ key: 'd' + (date = dayOf(sent)), date, sig: day(date) });
			if (it.divider !== null && !divided && seq > it.divider && text && !own) divided = push({ key: 'new', sig: 1 });
			if (kind === 'message') {
				const first = before.sender !== sender || sent - before.sent > GROUP_MS;
				const quoted = it.bySeq.get(entry.reply) || {};
				all.push({ key: 'm' + entry.uuid, sig: [first, text, entry.modified, entry.failed, seq, it.faces[sender], quoted.text].join(), entry, first, own, quoted });
				before = entry;
				return;
			}
			// Who came one after the other, and what was deleted, is one line.
			const row = before.kind === kind && kind !== 'notice' ? before.row : push({ key: 'n' + seq, notices: [] });
			row.notices.push(entry);
			row.sig = seq;
			before = { kind, row };
		};
		it.entries.forEach(item);
		it.pending.forEach((p) => item(Object.assign(p, { kind: 'message', sender: id })));
		return all;
	}

	function draw({ key, date, notices, entry, first, own, quoted }) {
		if (key === 'top') return h('div.note', { 'data-gone': it.gone }, t(it.more ? 'catching' : it.gone ? 'lost' : 'begins', bidi(it.name)));
		if (key === 'new') return h('div.unread', t('new'));
		if (date) return h('div.day', h('span', day(date)));
		if (notices) return h('div.note', { 'data-kind': notices[0].kind }, told(notices));
		const { text, reply, uuid, seq, failed, modified, sender, sent } = entry;
		const state = seq ? 'sent' : failed ? 'failed' : 'sending';
		const act = () => menu(entry.name || t('more'), [
			['reply', t('reply'), () => write(entry)],
			own && ['edit', t('edit'), () => write(entry, true)],
			(own || it.me.owner) && ['delete', t('delete'), () => sure(t('delete'), () => change(it, entry).then(complain)), true],
		]);
		return h('div.row' + (own ? '.own' : '') + (first ? '.first' : ''), { 'data-uuid': uuid, 'data-state': own && state },
			h('div.face', first && !own && avatar(it.faces[sender])),
			h('div.bubble', first && !own && h('bdi', entry.name),
				reply && h('button.quote', { onclick: () => jump(reply) }, quoted.name && h('bdi', quoted.name), ' ', h('span', { dir: 'auto' }, snippet(quoted.text || '…'))),
				h('div.text', { dir: 'auto' }, linked(text), ' ', h('small', modified && t('edited') + ' ', h('time', clock(sent)), own && h('span', { role: 'img', 'aria-label': t(state) }, { sent: ' ✓', sending: ' ◌', failed: ' !' }[state]))),
				failed && h('div.failed', t('failed') + ': ' + refusal(failed) + ' ', button('retry', t('retry'), () => say(it, '', 0, entry)), ' ',
					button('discard', t('delete'), () => { it.settle(uuid); update(); }))),
			seq && sign('actions', '⋯', t('more'), act));
	}

	const box = h('div.list#messages', { role: 'log', 'aria-label': t('messages'), tabindex: 0 });
	const list = new List(box, draw, () => {
		if (box.scrollTop < 800) older(it);
		attend();
	});
	const end = button('end', '', () => list.toEnd(), 'end');
	function attend() {
		if (list.stick && document.hasFocus()) it.read();
		end.hidden = list.stick;
		// What scrolling draws is not news.
		box.setAttribute('aria-live', list.stick ? 'polite' : 'off');
		end.textContent = '↓ ' + (it.unread() ? it.unread() + ' ' + t('new') : t('newest'));
	}

	async function jump(seq) {
		while (!it.bySeq.has(seq) && await older(it));
		list.set(rows());
		const el = list.show('m' + (it.bySeq.get(seq) || {}).uuid);
		if (!el) return;
		el.classList.add('found');
		el.lastChild.focus({ preventScroll: true });
	}

	const context = h('div.context');
	const excess = h('div.failed', { role: 'status' });
	const text = h('textarea#text', { rows: 1, 'aria-label': t('write'), dir: 'auto', oninput: grow, onkeydown(e) {
		if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && !phone) go(e);
	} });

	function grow() {
		const over = [...text.value].length - MAX_CHARS;
		text.style.height = 'auto';
		text.style.height = text.scrollHeight + 2 + 'px';
		excess.textContent = over > 0 ? t('tooLong', over) : '';
		if (text.value && !editing) typing(it);
	}

	function go(e) {
		const said = text.value.trim();
		e.preventDefault();
		if (!said || excess.textContent) return;
		if (editing) change(it, about, said).then(complain);
		else {
			say(it, said, about && about.seq);
			list.toEnd();
		}
		editing = true;
		write();
	}

	/** An answer to `entry`, or another text for it. */
	function write(entry, edit) {
		if (editing || edit) text.value = edit ? entry.text : '';
		about = entry;
		editing = edit;
		fill(context, entry && [h('div', { dir: 'auto' }, h('b', edit ? t('edit') : t('reply') + ' ' + bidi(entry.name)), ' ' + snippet(entry.text)), sign('cancel', '✕', t('close'), () => write())]);
		grow();
		text.focus();
	}

	async function find(e) {
		e.preventDefault();
		const { value } = e.target.elements[0];
		const hits = [];
		let page = {};
		do {
			page = await call(`/rooms/${it.id}/search?q=${encodeURIComponent(value)}${page.next ? '&before=' + page.next : ''}`);
			hits.push(...(page.data || []));
		} while (page.more && hits.length < 50);
		if (!hits.length) return toast(page.code ? refusal(page) : t('nothing'));
		menu(value, hits.map(({ data: d }) => ['hit', `${bidi(d.name)}, ${day(millis(d.sent))}: ${bidi(snippet(d.data.text))}`, () => { closeAll(); jump(d.seq); }]));
	}
	const search = () => dialog('search', t('search'), h('form.line', { onsubmit: find }, field('query', t('search')), submit('→')));

	const title = h('button.title', { 'data-act': 'people', onclick: () => people(it) });
	const hand = sign('hand', '✋', t('hand'), () => ask('hand', { room: it.id, on: !it.hands.includes(it.me.id) }).then(complain));
	const queue = h('div.hands');
	const writing = h('div.writing', { 'aria-hidden': true });
	const status = h('span', { role: 'status' });
	const seconds = h('span', { 'aria-hidden': true });
	const now = button('now', '', () => {
		it.lost = false;
		hurry();
	});
	const bar = h('div.bar#bar', status, seconds, now);
	const more = () => menu(it.name, [
		it.me.owner && ['settings', t('settings'), () => settings(it)],
		['search', t('search'), search],
		['board', t('board'), () => { location.hash += '/board'; }],
		['sound', t('sound') + (store.get('mute') ? ' ✕' : ' ✓'), () => store.set('mute', !store.get('mute'))],
		['language', t('language'), switchLang],
		['leave', t('leave'), () => sure(t('leave'), () => leave(it).then((answer) => complain(answer) || (location.hash = '#/'))), true],
	]);
	const el = h('main.chat', h('header', h('a.sign', { href: '#/', 'aria-label': t('back') }, '‹'), title, hand, button('share', t('share'), () => share(it)), sign('more', '⋯', t('more'), more)),
		queue, h('div.middle', box, bar, end),
		h('div.foot', writing, context, excess, h('form.line', { onsubmit: go }, text, h('button.main.send', { type: 'submit', 'aria-label': t('send') }, '↑'))));

	function tick() {
		const state = net.state !== 'online' ? net.state : !it.loaded || it.cursor < it.goal ? 'catching' : it.lost ? 'lost' : 'online';
		if (!it.loaded) load(it);
		if (bar.dataset.state !== state) {
			bar.dataset.state = state;
			status.textContent = t(state);
			calm = Date.now() + 2000;
		}
		bar.classList.toggle('calm', state === 'online' && Date.now() > calm);
		seconds.textContent = state === 'waiting' ? t('seconds', Math.max(0, Math.ceil((net.retryAt - Date.now()) / 1000))) : '';
		now.hidden = state !== 'waiting' && state !== 'lost';
		now.textContent = t(state === 'lost' ? 'close' : 'retry');
		const until = millis(it.me.muted);
		const why = until > Date.now() ? t('mutedYou', clock(until)) : it.state.quiet && !it.me.owner ? t('quiet') : '';
		text.disabled = why;
		text.placeholder = why || t('write');
	}

	function update() {
		const names = [...it.typing.values()].slice(0, 3).map(({ name }) => bidi(name));
		fill(title, h('h1', { dir: 'auto' }, it.name), h('small', it.state.locked && '🔒 ', t('here', ...it.count())));
		writing.textContent = names.length ? t('typing', names.join(', ')) : '';
		hand.setAttribute('aria-pressed', it.hands.includes(it.me.id));
		hands(it, queue);
		if (it.loaded) list.set(rows());
		tick();
		attend();
	}

	const timer = setInterval(tick, 500);
	addEventListener('focus', attend);
	return { el, update, opened() {
		update();
		list.show('new');
		if (!phone) text.focus();
	}, gone() {
		clearInterval(timer);
		removeEventListener('focus', attend);
	} };
}

export function switchLang() {
	store.set('lang', lang() === 'en' ? 'zh' : 'en');
	setLang();
	dispatchEvent(new Event('hashchange'));
}
