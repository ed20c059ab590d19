// The way to the server: HTTP calls, and one WebSocket that comes back by itself. Knows no rooms.

import { lang } from './i18n.js';
import * as store from './store.js';

/** After so much silence the server is asked whether it is there; it has so long to answer. */
const QUIET_MS = 20000;
const ANSWER_MS = 8000;
/** Nobody wants to wait longer for the truth after waking a phone. */
const WAKE_MS = 3000;
const LONGEST_WAIT_MS = 20000;

/** state: idle, connecting, online, waiting (until `retryAt`) or ended. The rest is set by who listens. */
export const net = { state: 'idle', retryAt: 0, resume: () => ({}), heard() {}, changed() {}, ended() {} };

let socket, token, epoch, retry;
let tries = 0;
let heard = 0;
let deadline = 0;
let lastId = 0;
const asked = new Map();

/** One HTTP call with this device's token. `status` 0: nobody answered. */
export async function call(method, path, body, token = (store.me() || {}).token) {
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), 15000);
	const headers = { 'Accept-Language': lang() };
	if (token) headers.Authorization = 'Bearer ' + token;
	try {
		const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: stop.signal });
		return { ...await answer.json().catch(() => ({})), status: answer.status };
	} catch {
		return { status: 0 };
	} finally {
		clearTimeout(timer);
	}
}

function become(state) {
	net.state = state;
	net.changed();
}

/** Connects as whom this device is now. */
export function start() {
	const me = store.me();
	if (socket && me && token === me.token) return;
	stop();
	if (!me) return become('idle');
	token = me.token;
	socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
	deadline = Date.now() + ANSWER_MS;
	become('connecting');
	socket.onopen = () => {
		const resume = net.resume();
		socket.send(JSON.stringify({ type: 'auth', token, v: 1, ...(epoch && { resume, epoch }) }));
	};
	socket.onmessage = ({ data }) => {
		heard = Date.now();
		const frame = JSON.parse(data);
		if (frame.type === 'auth') return greeted(frame);
		deadline = 0;
		const settle = asked.get(frame.id);
		asked.delete(frame.id);
		(settle || net.heard)(frame);
	};
	socket.onclose = ({ code }) => {
		const now = store.me();
		// Another tab may have become somebody else meanwhile.
		if (code < 4001 || code > 4003 || (now && now.token !== token)) drop();
		else end(code);
	};
}

function greeted(frame) {
	if (frame.code === 7 || frame.code === 9) return drop();
	if (frame.code) return end(4003);
	deadline = tries = 0;
	const renewed = Boolean(epoch) && epoch !== frame.epoch;
	epoch = frame.epoch;
	net.state = 'online';
	net.heard(frame, renewed);
	net.changed();
}

function stop() {
	clearTimeout(retry);
	if (socket) {
		socket.onopen = socket.onmessage = socket.onclose = null;
		socket.close();
	}
	socket = null;
	for (const settle of asked.values()) settle({ code: -1 });
	asked.clear();
}

/** The token is void: this guest is no more. */
function end(code) {
	stop();
	if ((store.me() || {}).token === token) store.set('me', null);
	net.state = 'ended';
	net.ended(code);
	net.changed();
}

/** Gives the socket up and comes back. Full jitter: thirty phones do not come at one moment. */
export function drop() {
	stop();
	const wait = 200 + Math.random() * Math.min(LONGEST_WAIT_MS, 1000 * 2 ** tries++);
	net.retryAt = Date.now() + wait;
	retry = setTimeout(start, wait);
	become('waiting');
}

/** Now is a good moment: the network is back, or somebody looks. */
export function hurry() {
	if (net.state === 'waiting') start();
	else probe(WAKE_MS);
}

function probe(limit) {
	if (!deadline && send({ type: 'ping' })) deadline = Date.now() + limit;
}

setInterval(() => {
	if (deadline && Date.now() > deadline) {
		deadline = 0;
		if (socket) drop();
	} else if (Date.now() - heard > QUIET_MS) probe(ANSWER_MS);
}, 1000);
for (const event of ['online', 'offline', 'pageshow']) addEventListener(event, hurry);
document.addEventListener('visibilitychange', () => document.hidden || hurry());
store.watch((key) => key === 'me' && net.state !== 'online' && start());

/** Whether it went out. */
export function send(frame) {
	if (net.state !== 'online' || socket.readyState !== 1) return false;
	socket.send(JSON.stringify(frame));
	return true;
}

/** A request and its answer; code -1: there was none. */
export function ask(type, fields) {
	return new Promise((settle) => {
		const id = ++lastId;
		if (!send({ type, id, ...fields })) return settle({ code: -1 });
		asked.set(id, settle);
		setTimeout(() => asked.delete(id) && settle({ code: -1 }), 15000);
	});
}
