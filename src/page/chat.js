// The room's screen: header, bar, messages, composer.

import { avatar } from './avatar.js';
import { button, closeAll, dialog, field, fill, follow, form, h, menu, renew, sign, submit, sure, toast } from './dom.js';
import { bidi, clock, day, dayOf, lang, millis, refusal, setLang, t } from './i18n.js';
import { List } from './list.js';
import { ask, call, hurry, net } from './net.js';
import { hands, people, settings, share } from './people.js';
import * as store from './store.js';
import { change, leave, load, members, older, say, typing } from './sync.js';

const MAX_CHARS = 4000;
const GROUP_MS = 300000;
const phone = matchMedia('(pointer: coarse)').matches;
/** A sentence's end, or a bracket around it, is not the address's. */
const ADDRESS = /(\bhttps?:\/\/(?:\([^\s()]*\)|[^\s<>"'`()、-」！-；？])*(?:\([^\s()]*\)|[^\s<>"'`()、-」！-；？.,;:!?*]))/i;
const linked = (text) => text.split(ADDRESS).map((part, i) => (i % 2 ? h('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part) : part));
const snippet = (text) => text.slice(0, 90).replace(/\s+/g, ' ') + (text.length > 90 ? '…' : '');

const complain = (answer) => answer.code && !toast(refusal(answer));

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
	let calm, shown;
	let ticks = 0;

	function rows() {
		const all = [{ key: 'top', spec: 'div.note', sig: t(it.more ? 'catching' : it.gone ? 'lost' : 'begins', bidi(it.name)) }];
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
			if (sent && dayOf(sent) !== date) push({ key: 'd' + (date = dayOf(sent)), spec: 'div.day', sig: day(date) });
			if (it.divider !== null && !divided && seq > it.divider && text && !own) divided = push({ key: 'new', spec: 'div.unread', sig: t('new') });
			if (kind === 'message') {
				const first = before.sender !== sender || sent - before.sent > GROUP_MS;
				const quoted = it.bySeq.get(entry.reply) || {};
				all.push({ key: 'm' + entry.uuid, sig: [first, text, entry.modified, entry.failed, seq, it.faces[sender], quoted.text].join(), entry, first, own, quoted });
				before = entry;
				return;
			}
			// Who came one after the other, and what was deleted, is one line.
			const row = before.kind === kind && kind !== 'notice' ? before.row : push({ key: 'n' + seq, spec: 'div.note', notices: [] });
			row.notices.push(entry);
			row.sig = seq;
			before = { kind, row };
		};
		it.entries.forEach(item);
		it.pending.forEach((p) => item(Object.assign(p, { kind: 'message', sender: id })));
		return all;
	}

	function draw({ spec, sig, notices, entry, first, own, quoted }) {
		if (spec) return h(spec, notices ? told(notices) : sig);
		const { text, reply, uuid, seq, failed, modified, sender, sent } = entry;
		const state = seq ? 'sent' : failed ? 'failed' : 'sending';
		const act = () => menu(entry.name || t('more'), [
			['reply', () => write(entry)],
			own && ['edit', () => write(entry, true)],
			(own || it.me.owner) && ['delete', () => sure(t('delete'), () => change(it, entry).then(complain)), true],
		]);
		return h('div.row' + (own ? '.own' : '') + (first ? '.first' : ''), { 'data-uuid': uuid, 'data-state': own && state },
			!own && h('div.face', first && avatar(it.faces[sender])),
			h('div.bubble', h(first && !own ? 'bdi' : 'bdi.unseen', entry.name || it.me.name),
				reply && h('button.quote', { onclick: () => jump(reply) }, quoted.name && h('bdi', quoted.name), ' ', h('span', snippet(quoted.text || '…'))),
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
		const el = list.show('m' + it.bySeq.get(seq)?.uuid);
		if (!el) return;
		el.classList.add('found');
		el.lastChild.focus({ preventScroll: true });
	}

	const context = h('div.context');
	const why = h('div.failed#why', { role: 'status' });
	const text = h('textarea#text', { rows: 1, placeholder: t('write'), 'aria-label': t('write'), 'aria-describedby': 'why', dir: 'auto', oninput() {
		shown.text = text.value;
		grow();
		if (!shown.edit) typing(it);
	}, onkeydown(e) {
		if (e.key !== 'Enter' || e.shiftKey || e.isComposing || phone) return;
		e.preventDefault();
		go();
	} });

	function grow() {
		text.style.height = 'auto';
		text.style.height = text.scrollHeight + 2 + 'px';
		judge();
	}

	/** Whether and why this cannot be sent. */
	function judge() {
		const over = [...text.value].length - MAX_CHARS;
		const silent = it.me.muted ? t('mutedYou', clock(millis(it.me.muted))) : it.state.quiet && !it.me.owner && t('quiet');
		renew(why, silent || (over > 0 && t('tooLong', over)) || '', () => [why.sig]);
		text.readOnly = silent;
		text.setAttribute('aria-disabled', Boolean(silent));
	}

	async function go() {
		const draft = shown;
		const said = draft.text.trim();
		if (!said || why.textContent) return;
		if (draft.edit) {
			const answer = await change(it, it.byUuid.get(draft.about.uuid) || draft.about, said);
			if (answer.code || draft.text.trim() !== said) return complain(answer);
		} else {
			say(it, said, draft.about?.seq);
			list.toEnd();
		}
		show(draft.under || { text: '' });
	}

	function show(draft, calmly) {
		const { about, edit, under } = it.draft = shown = draft;
		text.value = draft.text;
		fill(context, about && [h('div', h('b', edit ? t('edit') : t('reply') + ' ' + bidi(about.name)), ' ' + snippet(about.text)),
			sign('cancel', '✕', t('close'), () => show(edit ? under : { ...draft, about: null }))]);
		grow();
		if (!calmly) text.focus();
	}

	/** An answer to `about`, or another text for it. */
	const write = (about, edit) => show(shown.edit || edit ? { text: edit ? about.text : '', about, edit, under: shown } : { ...shown, about });

	async function find({ value }) {
		const hits = [];
		let page = {};
		do {
			page = await call(`/rooms/${it.id}/search?q=${encodeURIComponent(value)}${page.next ? '&before=' + page.next : ''}`);
			hits.push(...(page.data || []));
		} while (page.more && hits.length < 50);
		if (page.code || !hits.length) return toast(page.code ? refusal(page) : t('nothing'));
		menu(value, hits.map(({ data: d }) => ['hit', () => { closeAll(); jump(d.seq); }, false, `${bidi(d.name)}, ${day(millis(d.sent))}: ${bidi(snippet(d.data.text))}`]));
	}
	const search = () => dialog('search', t('search'), form('.line', find, field('query', 'search'), submit('→')));

	const title = button('people', '', () => people(it), 'title');
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
		it.me.owner && ['settings', () => settings(it)],
		['search', search],
		['board', () => { location.hash += '/board'; }],
		['sound', () => store.set('mute', !store.get('mute')), false, t('sound') + (store.get('mute') ? ' ✕' : ' ✓')],
		['language', switchLang],
		['leave', () => sure(t('leave') + (store.known(it.id).key ? t('keyStays') : ''), () => leave(it).then((answer) => complain(answer) || (location.hash = '#/'))), true],
	]);
	const el = h('main.chat', h('header', h('a.sign', { href: '#/', 'aria-label': t('back') }, '‹'), title, hand, button('share', t('share'), () => share(it)), sign('more', '⋯', t('more'), more)),
		queue, h('div.middle', box, bar, end),
		h('div.foot', writing, context, why, form('.line', go, text, h('button.main.send', { 'aria-label': t('send') }, '↑'))));

	function tick() {
		follow();
		// Only the server's clock knows when a mute ends.
		if (it.me.muted && ++ticks % 10 === 0) members(it);
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
		judge();
	}

	function update() {
		const names = [...it.typing.values()].slice(0, 3).map(({ name }) => bidi(name));
		fill(title, h('h1', it.name), h('small', it.state.locked && '🔒 ', t('here', ...it.count())));
		writing.textContent = names.length ? t('typing', names.join(', ')) : '';
		hand.setAttribute('aria-pressed', it.hands.includes(it.me.id));
		hands(it, queue);
		if (it.loaded) list.set(rows());
		tick();
		attend();
	}

	const timer = setInterval(tick, 500);
	return { el, update, opened() {
		update();
		show(it.draft, phone);
		list.show('new');
	}, gone: () => clearInterval(timer) };
}

export function switchLang() {
	store.set('lang', lang() === 'en' ? 'zh' : 'en');
	setLang();
	dispatchEvent(new Event('hashchange'));
}
