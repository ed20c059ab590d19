// Who is here, the invitation, and what an owner can do.

import { avatar } from './avatar.js';
import { button, copyable, dialog, field, fill, h, menu, sign, submit, sure, toast } from './dom.js';
import { refusal, t } from './i18n.js';
import { ask } from './net.js';
import * as store from './store.js';
import { bidi, millis } from './text.js';

async function command(it, act, fields) {
	const answer = await ask('owner', { room: it.id, act, ...fields });
	if (answer.code || act !== 'state') toast(answer.code ? refusal(answer) : t('done'));
	return !answer.code && answer;
}

/** What the server says of itself (`GET /where`). */
export const server = { addresses: [], rooms: [] };

/** As others reach it; who runs the server may see localhost. */
export function linkTo(it, key) {
	const near = /^(localhost|127\.|\[::1)/.test(location.hostname) && server.addresses[0];
	return `${near || location.origin}/#/room/${it.id}${key ? '?owner=' + key : ''}`;
}
export const qr = (link) => h('img.qr', { src: '/qr.svg?text=' + encodeURIComponent(link), alt: 'QR ' + link, onerror: (e) => e.target.remove() });

export const share = (it) => dialog('share', t('share'), qr(linkTo(it)), h('p.number', t('room', it.id)), copyable('link', t('share'), linkTo(it)));

export function people(it) {
	const rank = (m) => (m.owner ? 0 : m.online ? 1 : 2);
	const all = [...it.members.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
	dialog('people', t('here', ...it.count()), h('ul.people', all.map((m) => h('li', avatar(m.avatar),
		h('div', h('bdi', m.name), h('small', [m.owner && t('owner'), t(m.online ? 'online1' : 'offline1'), millis(m.muted) > Date.now() && t('muted')].filter(Boolean).join(' · '))),
		it.me.owner && sign('member', '⋯', m.name + ': ' + t('more'), () => member(it, m))))));
}

function member(it, m) {
	const pupil = !m.owner;
	const item = (when, name, act, fields, grave) => {
		const go = () => command(it, act, { user: m.id, ...fields });
		return when && [name, t(name), grave ? () => sure(t(name) + ': ' + bidi(m.name), go) : go, grave];
	};
	menu(m.name, [
		pupil && ['mute', t('mute'), () => mute(it, m)], item(m.muted, 'unmute', 'mute', { minutes: 0 }),
		item(true, pupil ? 'appoint' : 'dismiss', 'appoint', { on: pupil }, true),
		item(pupil, 'kick', 'kick', {}, true), item(pupil, 'keepOut', 'kick', { keepOut: true }, true), item(true, 'wipe', 'wipe', {}, true),
	]);
}

function mute(it, m) {
	const close = dialog('mute', t('mute') + ' ' + bidi(m.name), h('form.line', { onsubmit(e) {
		e.preventDefault();
		command(it, 'mute', { user: m.id, minutes: +e.target.elements[0].value });
		close();
	} }, field('minutes', t('minutes'), { type: 'number', min: 1, max: 10080, value: 5, required: true }), submit(t('yes'))));
}

export function hands(it, el) {
	const { owner } = it.me;
	const sig = it.hands.join() + owner;
	if (el.dataset.sig === sig) return;
	el.dataset.sig = sig;
	fill(el, it.hands.map((user, i) => {
		const { name } = it.members.get(user) || { name: user };
		return h('button.chip', { disabled: !owner, title: t('lower'), 'data-act': 'lower', onclick: () => command(it, 'lower', { user }) }, `✋ ${i + 1}. `, h('bdi', name));
	}), owner && it.hands.length > 1 && button('lower-all', t('lower') + ' 1–' + it.hands.length, () => command(it, 'lower')));
}

export async function settings(it) {
	const state = await command(it, 'state');
	if (!state) return;
	const form = (act, label, key, props) => h('form.line', { onsubmit(e) {
		e.preventDefault();
		command(it, act, { [key]: e.target.elements[0].value || null });
	} }, field(act, label, props), submit(t('yes')));
	const toggle = (act, on) => h('label.line', t(act), h('input#' + act, { type: 'checkbox', role: 'switch', checked: on, async onchange({ target }) {
		if (!await command(it, act, { on: target.checked })) target.checked = !target.checked;
	} }));
	const link = h('div');
	const show = (key) => {
		if (key) store.remember(it.id, { key });
		fill(link, key && [qr(linkTo(it, key)), copyable('owner-link', t('ownerHint'), linkTo(it, key))],
			button('anew', t('anew'), () => sure(t('anew'), async () => show((await command(it, 'link')).ownerKey || key))));
	};
	show(store.known(it.id).key);
	dialog('settings', t('settings'), form('rename', t('roomName'), 'name', { value: it.name }), form('password', t('newPassword'), 'password'),
		toggle('lock', state.locked), toggle('quiet', state.quiet),
		state.keptOut.map(({ user, name }) => button('allow', t('allow', bidi(name)), () => command(it, 'allow', { user }))),
		h('p', t('export'), ['html', 'txt', 'csv', 'json'].flatMap((f) => [' ', button(f, f, () => download(it, f))])),
		h('p', t('ownerHint')), link, button('close-room', t('closeRoom'), () => sure(t('closeRoom'), () => command(it, 'close')), 'danger'));
}

async function download(it, format) {
	const answer = await fetch(`/rooms/${it.id}/export?format=${format}`, { headers: { Authorization: 'Bearer ' + store.me().token } });
	if (!answer.ok) return toast(answer.status);
	const href = URL.createObjectURL(await answer.blob());
	h('a', { href, download: `${it.name}.${format}` }).click();
	setTimeout(URL.revokeObjectURL, 60000, href);
}
