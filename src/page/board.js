// The room on a wall: the way in, and the newest messages in huge letters.

import { avatar } from './avatar.js';
import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { linkTo, qr } from './people.js';
import { linked } from './text.js';

/** More do not fit on a wall. */
const SHOWN = 12;

export function board(it) {
	const link = linkTo(it);
	const title = h('h1', { dir: 'auto' });
	const said = h('div.said', { role: 'log', 'aria-label': t('messages') });
	const el = h('main.board', {}, h('aside', {}, title, qr(link), h('p.number', {}, t('room', it.id)), h('p.link', {}, link),
		h('a', { href: '#/room/' + it.id }, t('close'))), said);
	let last;
	function update() {
		title.textContent = it.name;
		const shown = it.entries.filter((e) => e.kind === 'message').slice(-SHOWN);
		const sig = JSON.stringify(shown);
		if (sig === last) return;
		last = sig;
		fill(said, shown.map((e) => h('div.big', {}, avatar(it.face(e.sender)), h('div', {}, h('bdi', {}, e.name), h('div', { dir: 'auto' }, linked(e.text))))));
		said.scrollTop = said.scrollHeight;
	}
	return { el, update, opened: update, gone() {} };
}
