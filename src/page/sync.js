// Rooms and the socket together: what was missed comes, what is to be sent goes, exactly once.

import { ask, call, net, send } from './net.js';
import { Room, erased } from './room.js';
import * as store from './store.js';

const TYPING_MS = 5000;

export const rooms = new Map();
/** `changed(room, entry that was just said)` is set by app. */
export const view = {};
const changed = (it, entry) => view.changed(it, entry);

export function room(id) {
	if (!rooms.has(id)) rooms.set(id, new Room(id));
	return rooms.get(id);
}

net.changed = () => {
	if (net.state !== 'online') flying = null;
	pump();
	changed();
};

net.resume = () => Object.fromEntries([...rooms.values()].filter((it) => it.loaded).map((it) => [it.id, it.cursor]));

net.ended = () => {
	store.sweep();
	rooms.forEach((it) => {
		it.pending = [];
		it.out();
	});
};

net.heard = (frame) => {
	const { type, user } = frame;
	if (type === 'send') return answered(frame);
	const it = rooms.get(frame.room ?? frame.data?.room);
	if (!it) return;
	let entry;
	if (type === 'presence') it.presence(frame);
	else if (type === 'hands') it.hands = frame.users;
	else if (type === 'typing') {
		clearTimeout(it.typing.get(user.id)?.timer);
		it.typing.set(user.id, { ...user, timer: setTimeout(() => it.typing.delete(user.id) && changed(it), TYPING_MS) });
	} else if (type === 'kicked' || type === 'closed') {
		it.clear();
		it.member = type;
	} else if (frame.at) {
		if (frame.at > it.cursor) it.live(frame);
		entry = it.take(frame);
		if (entry) it.typing.delete(entry.sender);
	}
	changed(it, entry);
};

net.greeted = (frame, renewed) => rooms.forEach((it) => {
	const told = frame.rooms.find((r) => r.id === it.id);
	const { loaded } = it;
	if (!told?.complete || renewed) it.clear();
	if (!told) return it.out();
	learn(it, told);
	it.member = 'yes';
	it.goal = told.at;
	it.lost = loaded && !it.loaded;
	if (it.loaded) members(it);
	else load(it);
});

function learn(it, state) {
	it.name = state.name || it.name;
	Object.assign(it.state, state);
}

export async function load(it) {
	if (!await page(it)) return;
	it.member = 'yes';
	it.cursor = Math.max(it.cursor, it.goal);
	if (it.seen === null) it.read();
	if (it.unread()) it.divider = it.seen;
	members(it);
	pump();
}

export const older = (it) => it.loaded && it.more && page(it, it.low);

async function page(it, before) {
	if (it.loading || net.state !== 'online') return false;
	it.loading = true;
	const answer = await ask('history', { room: it.id, before });
	it.loading = false;
	if (!answer.code) it.page(answer);
	else if (answer.code === 3 || answer.code === 4) it.member = 'no';
	changed(it);
	return !answer.code;
}

export async function members(it) {
	const { code, data, state } = await ask('members', { room: it.id });
	if (code) return;
	it.setMembers(data);
	learn(it, state);
	store.remember(it.id, { name: it.name });
	changed(it);
}

// The outbox: one message in flight, so that none overtakes another.
let flying = null;
let pause = 0;

function pump() {
	if (flying || pause > Date.now()) return;
	for (const it of rooms.values()) {
		const item = it.member === 'yes' && it.pending.find((p) => !p.failed);
		if (!item) continue;
		const { uuid, text, reply } = item;
		if (send({ type: 'msg', uuid, room: it.id, reply, data: { type: 'Text', text } })) flying = { it, item };
		return;
	}
}

function answered(frame) {
	if (flying?.item.uuid !== frame.uuid) return;
	const { it, item } = flying;
	flying = null;
	if (!frame.code) it.stored(frame);
	else if (frame.code === 7 || frame.code === 9) {
		const wait = 1000 * (frame.retryAfter || 1);
		pause = Date.now() + wait;
		setTimeout(pump, wait + 20);
	} else {
		item.failed = frame;
		it.keep(item);
	}
	changed(it);
	pump();
}

/** Says something, or once more what failed. */
export function say(it, text, reply, failed) {
	if (failed) it.keep(Object.assign(failed, { failed: null }));
	else it.say(text, reply);
	changed(it);
	pump();
}

// Another tab has sent a message, or given it up.
store.watch((key, gone) => gone && rooms.forEach((it) => {
	it.pending = it.pending.filter((p) => key !== 'out.' + p.uuid || flying?.item === p);
	changed(it);
}));

export async function change(it, entry, text) {
	const fields = { room: it.id, uuid: entry.uuid };
	const answer = await (text ? ask('edit', { ...fields, data: { type: 'Text', text } }) : ask('delete', fields));
	if (!answer.code) text ? Object.assign(entry, { text, modified: true }) : erased(entry);
	changed(it);
	return answer;
}

let typed = 0;
export function typing(it) {
	if (Date.now() - typed < 3000) return;
	typed = Date.now();
	send({ type: 'typing', room: it.id });
}

export async function enter(path, body) {
	const answer = await call(path, body);
	if (answer.status === 401 && store.me().token) {
		store.set('me', null);
		return enter(path, body);
	}
	// A key that was made void since is none.
	if (answer.code === 'wrong_password' && body.ownerKey && body.ownerKey === store.known(body.roomId).key) {
		store.remember(body.roomId, { key: null });
		return enter(path, { ...body, ownerKey: null });
	}
	if (answer.code === 'room_not_found') store.forget(body.roomId);
	if (!answer.success) return answer;
	const { user, room: { id, roomId, roomName }, token, ownerKey = body.ownerKey } = answer.data;
	store.set('me', { id: user.id, token });
	store.set('name', user.userName);
	if (store.known(id).roomId !== roomId) {
		store.forget(id);
		rooms.delete(id);
	}
	store.remember(id, { roomId, name: roomName, ...(ownerKey && { key: ownerKey }) });
	return { id };
}

export async function leave(it) {
	const answer = await ask('leave', { room: it.id });
	if (!answer.code) {
		rooms.delete(it.id);
		store.forget(it.id, true);
	}
	return answer;
}
