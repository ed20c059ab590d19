// Who is here, the invitation, and what an owner can do.

import { avatar } from './avatar.js';
import { button, copyable, dialog, field, fill, h, menu, sign, sure, toast, toggle } from './dom.js';
import { refusal, t } from './i18n.js';
import { ask } from './net.js';
import * as store from './store.js';
import { bidi, millis } from './text.js';

/** An act of an owner; whether it was done. */
export async function command(it, act, fields) {
	const answer = await ask('owner', { room: it.id, act, ...fields });
	toast(answer.code ? refusal(answer) : t('done'));
	return !answer.code && answer;
}

let server = {};
/** What the server says of itself (`GET /where`). */
export function located(where) {
	server = where;
}

/** The address that other devices reach; whoever runs the server sees it as localhost. */
function origin() {
	const local = /^(localhost|127\.|\[::1)/.test(location.hostname);
	return (local && (server.addresses || [])[0]) || location.origin;
}
export const linkTo = (it, key) => `${origin()}/#/room/${it.id}${key ? '?owner=' + key : ''}`;
export const qr = (link) => h('img.qr', { src: '/qr.svg?text=' + encodeURIComponent(link), alt: 'QR ' + link, onerror() { this.hidden = true; } });

export function share(it) {
	const link = linkTo(it);
	dialog('share', t('share'), h('div.share', {}, qr(link), h('p', {}, t('room', it.id)), copyable('link', t('link'), link)));
}

/** All members: owners, those here, the others. */
export function people(it) {
	const rank = (m) => (m.owner ? 0 : m.online ? 1 : 2);
	const all = [...it.members.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
	const { owner } = it.myself();
	dialog('people', t('people') + ' · ' + t('here', ...it.count()), h('ul.people', {}, all.map((m) => h('li', { 'data-user': m.id },
		avatar(m.avatar), h('div', {}, h('bdi', {}, m.name), h('small', {}, [
			m.owner && t('owner1'), t(m.online ? 'online1' : 'offline1'), m.muted && millis(m.muted) > Date.now() && t('muted1'),
			it.hands.includes(m.id) && '✋ ' + (it.hands.indexOf(m.id) + 1),
		].filter(Boolean).join(' · '))), owner && sign('member', '⋯', m.name + ': ' + t('more'), () => member(it, m))))));
}

function member(it, m) {
	const user = m.id;
	const act = (id, fields, name = id, danger) => [name, t(name), () => {
		if (danger) sure(t(name) + ': ' + bidi(m.name), () => command(it, id, { user, ...fields }));
		else command(it, id, { user, ...fields });
	}, danger];
	const mute = (minutes) => ['mute' + minutes, t('mute', minutes), () => command(it, 'mute', { user, minutes })];
	const me = user === it.myId();
	menu(m.name, [
		...(m.owner ? [act('appoint', { on: false }, 'dismiss', true)] : [
			...(m.muted ? [act('mute', { minutes: 0 }, 'unmute')] : []), mute(5), mute(60),
			act('appoint', { on: true }), act('kick', {}, 'kick', true), act('kick', { keepOut: true }, 'keepOut', true)]),
		!me && act('wipe', {}, 'wipe', true),
	]);
}

/** The raised hands in their order; owners lower them. */
export function hands(it, el) {
	const { owner } = it.myself();
	const sig = it.hands.join() + owner;
	if (el.dataset.sig === sig) return;
	el.dataset.sig = sig;
	el.hidden = !it.hands.length;
	fill(el, '✋ ', it.hands.map((id, i) => {
		const { name } = it.members.get(id) || { name: id };
		const label = [i + 1 + '. ', h('bdi', {}, name)];
		return owner ? h('button.chip', { 'data-act': 'lower', title: t('lower', name), 'aria-label': t('lower', name), onclick: () => command(it, 'lower', { user: id }) }, label, ' ✕')
			: h('span.chip', {}, label);
	}), owner && it.hands.length > 1 && button('lower-all', t('lowerAll'), () => command(it, 'lower'), 'chip'));
}

/** All that an owner sets. */
export async function settings(it) {
	const state = await ask('owner', { room: it.id, act: 'state' });
	if (state.code) return toast(refusal(state));
	const form = (id, label, value, act, extra) => h('form', { onsubmit: (e) => { e.preventDefault(); act(e.target.elements[0].value); } },
		field(id, label, { value, ...extra }), h('button.soft', { type: 'submit', 'data-act': id }, t('save')));
	const link = h('div.share');
	const show = (key) => {
		if (key) store.remember(it.id, { key });
		const all = key && linkTo(it, key);
		fill(link, key && [qr(all), copyable('owner-link', t('ownerLink'), all)], button('anew', t('ownerAnew'), () => sure(t('ownerAnew'), async () => {
			const made = await command(it, 'link');
			if (made) show(made.ownerKey);
		})));
	};
	show((store.rooms().find((room) => room.id === it.id) || {}).key);
	dialog('settings', t('settings'), h('div.settings', {},
		form('rename', t('roomName'), it.name, (name) => command(it, 'rename', { name }), { maxlength: 64 }),
		form('password', t('newPassword'), '', (password) => command(it, 'password', { password: password || null }), { maxlength: 128, placeholder: state.password ? '••••' : '' }),
		toggle('lock', t('lock'), state.locked, (on) => command(it, 'lock', { on })),
		toggle('quiet', t('quiet'), state.quiet, (on) => command(it, 'quiet', { on })),
		(state.keptOut || []).map(({ user, name }) => button('allow', t('allow', name), () => command(it, 'allow', { user }))),
		h('h3', {}, t('export')),
		h('div.copy', {}, ['html', 'txt', 'csv', 'json'].map((format) => button('export-' + format, format, () => download(it, format)))),
		h('h3', {}, t('ownerLink')), h('p', {}, t('ownerHint')), link,
		button('close-room', t('closeRoom'), () => sure(t('closeRoom'), () => command(it, 'close')), 'danger')));
}

/** A link cannot carry the token, so the file is fetched. */
async function download(it, format) {
	const answer = await fetch(`/rooms/${it.id}/export?format=${format}`, { headers: { Authorization: 'Bearer ' + store.me().token } });
	if (!answer.ok) return toast((await answer.json()).msg);
	const href = URL.createObjectURL(await answer.blob());
	h('a', { href, download: `${it.name}.${format}` }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60000);
}
