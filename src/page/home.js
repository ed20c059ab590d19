// The first screen, and the door of a room one is not in.

import { switchLang } from './chat.js';
import { $, button, field, fill, form, h, submit } from './dom.js';
import { bidi, refusal, t } from './i18n.js';
import { server, where } from './people.js';
import * as store from './store.js';
import { enter } from './sync.js';

export function reference(text) {
	const [, room, , key] = text.trim().match(/^(?:.*\/room\/)?(\d{1,15}|[0-9a-f]{32})(\/board)?(?:\?owner=([0-9a-f]+))?$/) || [];
	return room ? [room.length < 16 ? Number(room) : room, key] : [];
}

/** `wanted`: the room to join, with its owner's `key`; `why` one is out of it. */
export function home(wanted, key, why, entered) {
	const el = h('main.home');
	const error = h('p.error', { role: 'alert' }, why && t(why));
	let request = store.uuid();
	const listed = ({ id } = { id: wanted }) => server.rooms.find((room) => room.id === id);
	const value = (id) => $(id)?.value.trim() || undefined;
	const name = (id) => field(id, 'yourName', { value: store.get('name'), required: true });
	const password = (id, label) => field(id, label, { type: 'password' });

	async function attempt(path, fields) {
		fill(error);
		const body = { listed: true, request, ...fields };
		const answer = await enter(path, body);
		// The same one makes no second guest.
		if (answer.status) request = store.uuid();
		if (answer.id) return entered(answer.id);
		store.set('name', answer.suggest || body.userName);
		if (wanted) {
			door(answer.code === 'wrong_password');
			($('password') || $('name')).focus();
		} else el.querySelectorAll('#name,#my-name').forEach((input) => { input.value = store.get('name'); });
		fill(error, refusal(answer));
	}

	function join() {
		const [roomId = value('room'), ownerKey = store.known(roomId).key] = wanted ? [wanted, key] : reference(value('room') || '');
		attempt('/room/join', { roomId, ownerKey, roomPassword: value('password'), userName: value('name') || store.get('name') });
	}
	const make = () => attempt('/room/create', { roomName: value('room-name'), roomPassword: value('room-password'), userName: value('my-name') });

	const card = (id, title, act, ...fields) => form('.card#' + id, act, h('h2', title), ...fields, submit(title));

	const list = (all) => all[0] && h('nav.card#rooms', h('h2', t('rooms')), all.map((room) =>
		h('a.soft', { href: '#/room/' + room.id }, h('bdi', room.name), room.password && ' 🔒', ' ', h('small', room.id))));

	function draw(...cards) {
		const words = [...store.outbox().filter((p) => p.room === wanted).map((p) => p.text), store.get('draft.' + wanted)].filter(Boolean).join('\n\n');
		fill(el, h('header', h('img', { src: '/page/icon.svg', alt: '' }), h('h1', server.name)),
			error, words && h('label.field', t('failed'), h('textarea#unsent', { readonly: true, rows: 4 }, words)), ...cards, h('footer', wanted && h('a', { href: '#/' }, t('back')), button('language', switchLang, t('language'), 'plain')));
	}

	const door = (locked) => draw(card('join', t('join') + ' ' + bidi((listed() || store.known(wanted)).name || t('room', wanted)), join, name('name'), locked && password('password', 'password')));

	// The number may be another's now.
	const all = () => draw(list([...store.rooms().map((room) => listed(room) || room), ...server.rooms.filter((room) => !store.known(room.id).name)]),
		card('join', t('join'), join, field('room', 'roomRef', { required: true }), name('name'), password('password', 'optional')),
		!server.closed && card('make', t('make'), make, field('room-name', 'roomName', { required: true }), name('my-name'), password('room-password', 'optional')));

	async function begin() {
		await where();
		if (!wanted) return all();
		const locked = listed()?.password;
		door(locked && !key);
		if (!why && store.get('name') && (!locked || key || store.known(wanted).key)) join();
	}
	begin();
	return { el };
}
