// The room on a wall: the way in, and the newest messages in huge letters.

import { avatar } from './avatar.js';
import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { linkTo, qr } from './people.js';

const SHOWN = 12;

export function board(it) {
	const title = h('h1', { dir: 'auto' });
	const said = h('div.said');
	function update() {
		fill(title, it.name);
		fill(said, it.entries.filter((e) => e.text).slice(-SHOWN).map((e) =>
			h('div.big', avatar(it.faces[e.sender]), h('div', h('bdi', e.name), h('div', { dir: 'auto' }, e.text)))));
	}
	const el = h('main.board', h('aside', title, qr(linkTo(it)), h('p.number', t('room', it.id)), h('p', linkTo(it)), h('a', { href: '#/room/' + it.id }, t('close'))), said);
	return { el, update, opened: update, gone() {} };
}
