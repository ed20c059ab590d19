// The first screen: make a room or join one. Also the door of a room one is not in.

import { button, field, fill, h } from './dom.js';
import { t } from './i18n.js';
import { call } from './net.js';
import { located } from './people.js';
import * as store from './store.js';
import { enter, rooms } from './sync.js';
import { switchLang } from './chat.js';

/** A number, a roomId, or a link with one: `[room, owner key]`. */
export function reference(text) {
	const [, room, , key] = text.trim().match(/^(?:.*\/room\/)?(\d{1,15}|[0-9a-f]{32})(\/board)?(?:\?owner=([0-9a-f]+))?$/) || [];
	return room ? [/^\d{1,15}$/.test(room) ? Number(room) : room, key] : [];
}

/** `wanted`: the room to join, `key` an owner's, `why` one is out; `entered(id)` when in. */
export function home({ wanted, key, why, entered }) {
	const el = h('main.home');
	const error = h('p.error', { role: 'alert' });
	let where = { rooms: [] };

	const name = () => field('name', t('yourName'), { value: store.get('name') || '', maxlength: 64, autocomplete: 'nickname' });
	const password = (id, label = t('optional', t('password'))) => field(id, label, { type: 'password', maxlength: 128, autocomplete: 'off' });
	const known = (id) => where.rooms.find((room) => room.id === id) || {};

	async function attempt(path, body) {
		for (const field in body) if (!body[field]) delete body[field];
		fill(error);
		const answer = await enter(path, body);
		if (answer.ok) return entered(answer.id);
		if (answer.code === 'wrong_password') ask(true);
		fill(error, answer.message || t('unreachable'), answer.suggest && button('suggest', answer.suggest, () => {
			el.querySelector('#name').value = answer.suggest;
			el.querySelector('form').requestSubmit();
		}));
		const empty = [...el.querySelectorAll('input')].find((input) => !input.value);
		if (empty) empty.focus();
	}

	function form(id, title, fields, act) {
		return h('form.card#' + id, { novalidate: true, onsubmit(e) {
			e.preventDefault();
			const missing = fields.find((f) => f.firstElementChild.required && !f.firstElementChild.value.trim());
			if (missing) {
				fill(error, t('needed', missing.firstChild.data));
				missing.firstElementChild.focus();
			} else act((id) => (el.querySelector('#' + id) || { value: '' }).value.trim());
		} }, h('h2', { dir: 'auto' }, title), fields, h('button.main', { type: 'submit' }, title));
	}

	const joining = (value) => attempt('/room/join', {
		roomId: wanted || reference(value('room'))[0] || value('room'), ownerKey: key || reference(value('room'))[1],
		roomPassword: value('password'), userName: value('name') || store.get('name'),
	});

	/** The door of one room: only what is missing. */
	function ask(locked) {
		if (!wanted) return;
		const title = known(wanted).name || (store.rooms().find((room) => room.id === wanted) || {}).name || t('room', wanted);
		draw([form('join', t('joinNamed', title), [name(), locked && !key && password('password', t('password'))].filter(Boolean), joining)]);
	}

	function draw(cards) {
		const head = h('header', {}, h('img', { src: '/page/icon.svg', alt: '' }), h('h1', { dir: 'auto' }, where.name || 'parlor'), h('p', {}, t('tagline')));
		fill(el, head, why && h('p.why', { role: 'status' }, t(why)), error, cards,
			h('footer', {}, wanted && h('a', { href: '#/' }, t('back')), button('language', t('language'), switchLang, 'plain')));
	}

	function list(title, all) {
		return all.length > 0 && h('section.card', {}, h('h2', {}, title), h('div.menu', {}, all.map((room) => {
			const unread = rooms.has(room.id) && rooms.get(room.id).unread();
			return h('a.plain', { href: '#/room/' + room.id }, h('bdi', {}, room.name || t('room', room.id)), room.password && ' 🔒', ' ', h('small', {}, room.id), unread > 0 && h('b.count', {}, unread));
		})));
	}

	function all() {
		const mine = store.rooms();
		const join = form('join', t('join'), [field('room', t('roomRef'), { required: true, inputmode: 'text' }), name(), password('password')], joining);
		const make = !where.closed && form('make', t('make'), [
			field('room-name', t('roomName'), { required: true, maxlength: 64 }), field('my-name', t('yourName'), { required: true, maxlength: 64, value: store.get('name') || '' }), password('room-password'),
		], (value) => attempt('/room/create', { roomName: value('room-name'), roomPassword: value('room-password'), userName: value('my-name'), listed: true }));
		draw([list(t('yourRooms'), mine), list(t('roomsHere'), where.rooms.filter((room) => !mine.some((m) => m.id === room.id))), join, make]);
	}

	async function begin() {
		if (wanted) ask();
		else all();
		const answer = await call('GET', '/where');
		if (answer.status === 200) located(where = { rooms: [], ...answer });
		if (!wanted) return all();
		const { password } = known(wanted);
		if (!why && store.get('name') && (!password || key)) joining(() => '');
		else ask(password);
	}

	begin();
	return { el, update() {}, opened() {}, gone() {} };
}
