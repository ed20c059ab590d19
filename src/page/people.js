// Who is here, the invitation, and what an owner can do.

import { avatar } from './avatar.js';
import { button, copyable, dialog, field, fill, h, menu, sign, submit, sure, toast } from './dom.js';
import { refusal, t } from './i18n.js';
import { ask } from './net.js';
import * as store from './store.js';
import { bidi, millis } from './text.js';

/** An act of an owner: its answer, or nothing if it was refused. */
async function command(it, act, fields) {
	const answer = await ask('owner', { room: it.id, act, ...fields });
	if (answer.code || act !== 'state') toast(answer.code ? refusal(answer) : t('done'));
	return answer.code ? null : answer;
}

/** What the server says of itself (`GET /where`). */
export const server = { addresses: [], rooms: [] };

/** The room's address as other devices reach it; who runs the server may see it as localhost. */
export function linkTo(it, key) {
	const near = /^(localhost|127\.|\[::1)/.test(location.hostname) && server.addresses[0];
	return `${near || location.origin}/#/room/${it.id}${key ? '?owner=' + key : ''}`;
}
export const qr = (link) => h('img.qr', { src: '/qr.svg?text=' + encodeURIComponent(link), alt: 'QR ' + link, onerror: (e) => e.target.remove() });

export function share(it) {
	dialog('share', t('share'), qr(linkTo(it)), h('p.number', {}, t('room', it.id)), copyable('link', t('link'), linkTo(it)));
}

/** All members: owners, those here, the others. */
export function people(it) {
	const rank = (m) => (m.owner ? 0 : m.online ? 1 : 2);
	const all = [...it.members.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
	dialog('people', t('here', ...it.count()), h('ul.people', {}, all.map((m) => h('li', { 'data-user': m.id }, avatar(m.avatar),
		h('div', {}, h('bdi', {}, m.name), h('small', {}, [m.owner && t('owner'), t(m.online ? 'online1' : 'offline1'), millis(m.muted) > Date.now() && t('muted'),
			it.hands.includes(m.id) && '✋ ' + (it.hands.indexOf(m.id) + 1)].filter(Boolean).join(' · '))),
		it.me.owner && sign('member', '⋯', m.name + ': ' + t('more'), () => member(it, m))))));
}

function member(it, m) {
	const item = (name, act, fields, grave) => {
		const go = () => command(it, act, { user: m.id, ...fields });
		return [name, t(name), grave ? () => sure(t(name) + ': ' + bidi(m.name), go) : go, grave];
	};
	const pupil = !m.owner;
	menu(m.name, [
		pupil && item('mute5', 'mute', { minutes: 5 }), pupil && item('mute60', 'mute', { minutes: 60 }), m.muted && item('unmute', 'mute', { minutes: 0 }),
		item(pupil ? 'appoint' : 'dismiss', 'appoint', { on: pupil }, true),
		pupil && item('kick', 'kick', {}, true), pupil && item('keepOut', 'kick', { keepOut: true }, true), item('wipe', 'wipe', {}, true),
	]);
}

/** The raised hands in their order; owners lower them. */
export function hands(it, el) {
	const sig = it.hands.join() + it.me.owner;
	if (el.dataset.sig === sig) return;
	el.dataset.sig = sig;
	const chip = (id, i) => {
		const { name } = it.members.get(id) || { name: id };
		const label = t('lower', name);
		return h(it.me.owner ? 'button.chip' : 'span.chip', { 'data-act': 'lower', 'aria-label': it.me.owner && label, onclick: () => it.me.owner && command(it, 'lower', { user: id }) }, i + 1 + '. ', h('bdi', {}, name));
	};
	fill(el, it.hands.length > 0 && '✋', it.hands.map(chip), it.me.owner && it.hands.length > 1 && button('lower-all', t('lowerAll'), () => command(it, 'lower')));
}

/** All that an owner sets. */
export async function settings(it) {
	const state = await command(it, 'state');
	if (!state) return;
	const form = (id, label, value, key, props) => h('form.line', { onsubmit(e) {
		e.preventDefault();
		command(it, id, { [key]: e.target.elements[0].value || null });
	} }, field(id, label, { value, maxlength: 64, ...props }), submit(t('save')));
	const toggle = (act, on) => h('label.line', {}, t(act), h('input#' + act, { type: 'checkbox', role: 'switch', checked: on, async onchange({ target }) {
		if (!await command(it, act, { on: target.checked })) target.checked = !target.checked;
	} }));
	const link = h('div');
	const show = (key) => {
		if (key) store.remember(it.id, { key });
		fill(link, key && [qr(linkTo(it, key)), copyable('owner-link', t('ownerLink'), linkTo(it, key))],
			button('anew', t('anew'), () => sure(t('anew'), async () => show(((await command(it, 'link')) || {}).ownerKey || key))));
	};
	show(store.known(it.id).key);
	dialog('settings', t('settings'), form('rename', t('roomName'), it.name, 'name'), form('password', t('newPassword'), '', 'password', { placeholder: state.password && '••••' }),
		toggle('lock', state.locked), toggle('quiet', state.quiet),
		(state.keptOut || []).map(({ user, name }) => button('allow', t('allow', bidi(name)), () => command(it, 'allow', { user }))),
		h('p', {}, t('export')), h('div.line', {}, ['html', 'txt', 'csv', 'json'].map((format) => button('export-' + format, format, () => download(it, format)))),
		h('p', {}, t('ownerHint')), link, button('close-room', t('closeRoom'), () => sure(t('closeRoom'), () => command(it, 'close')), 'danger'));
}

/** A link could not carry the token. */
async function download(it, format) {
	const answer = await fetch(`/rooms/${it.id}/export?format=${format}`, { headers: { Authorization: 'Bearer ' + store.me().token } });
	if (!answer.ok) return toast(answer.status);
	const href = URL.createObjectURL(await answer.blob());
	h('a', { href, download: `${it.name}.${format}` }).click();
	setTimeout(URL.revokeObjectURL, 60000, href);
}
