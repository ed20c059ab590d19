// A parlor of its own for each promise, and people before it in real Chromium.
//
// Whatever a promise is about, it is broken by an error on the console, by an exception, by something that
// the page's policy forbids, and by any request to another address than the server's.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

// `make browser` says where it has put node_modules, and which parlor it has built.
const TARGET = process.env.TARGET || new URL('../../target', import.meta.url).pathname;
const require = createRequire(join(TARGET, 'browser', 'x'));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const PARLOR = process.env.PARLOR || join(TARGET, 'debug', 'parlor');

/** How long anything that is waited for may take, on a busy machine with two cores. */
const WITHIN = 15_000;
const PROMISE_WITHIN = 90_000;

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
export const LAPTOP = { viewport: { width: 1280, height: 800 } };
export const NO_LIMITS = ['--user-rate', '0', '--room-rate', '0'];

/** The popups of an address bar that nobody sees are two renderers more for each window: 40 % of what the suite costs.
 * The list takes the place of Playwright's, so what matters of that is in it. */
const WITHOUT = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'AvoidUnnecessaryBeforeUnloadCheckSync', 'BoundaryEventDispatchTracksNodeRemoval',
	'DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'OptimizationHints', 'PaintHolding', 'RenderDocument', 'ThirdPartyStoragePartitioning', 'Translate'];
/** A container's /dev/shm is often too small for Chromium. */
export const launch = (...args) => chromium.launch({
	executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
	args: ['--disable-dev-shm-usage', '--disable-gpu', '--disable-features=' + WITHOUT, ...args],
});

let browser;
after(() => browser?.close());

/** A test with a world of its own: `body({ server, person, pass, … })`. */
export function promise(name, ...rest) {
	const body = rest.pop();
	const [args = []] = rest;
	test(name, { timeout: PROMISE_WITHIN }, async () => {
		const world = new World(browser ??= await launch());
		try {
			await world.open(args);
			await body(world);
			world.isClean();
		} catch (why) {
			console.log(await world.transcript());
			throw why;
		} finally {
			await world.close();
		}
	});
}

/** What the server printed and where it listens. Killed, it can start again on the same port and file. */
class Server {
	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), 'parlor-'));
		this.port = 0;
		this.log = '';
	}

	async start(args = this.args) {
		this.args = args;
		const at = `127.0.0.1:${this.port}`;
		this.child = spawn(PARLOR, ['--http', at, '--ws', '127.0.0.1:0', '--data', join(this.dir, 'parlor.db'), '--no-qr', ...args], { cwd: this.dir });
		this.ended = new Promise((done) => this.child.once('exit', done));
		this.child.stderr.on('data', (text) => { this.log += text; });
		let out = '';
		await within('parlor prints where its data is', new Promise((done, fail) => {
			this.child.once('error', fail);
			this.child.once('exit', (code) => fail(new Error(`parlor ended with ${code}\n${this.log}`)));
			this.child.stdout.on('data', (text) => /^Data .*\n/m.test(out += text) && done());
		}));
		this.out = out;
		this.port = Number(out.match(/^HTTP +http:\/\/127\.0\.0\.1:(\d+)\//m)[1]);
	}

	/** On the same port, with a database that knows nothing. */
	async startAnew() {
		for (const file of readdirSync(this.dir)) rmSync(join(this.dir, file), { recursive: true });
		await this.start();
	}

	async kill(signal = 'SIGKILL') {
		this.child.kill(signal);
		await within('parlor ends', this.ended);
	}

	async close() {
		if (this.child) await this.kill();
		rmSync(this.dir, { recursive: true, force: true });
	}
}

/** A line between browser and server that can be cut, fall silent, and be slow. */
class Line {
	constructor(port) {
		this.pairs = new Set();
		this.state = 'open';
		/** Bytes a second from the server, of all connections together. */
		this.pace = Infinity;
		this.free = 0;
		this.door = net.createServer((near) => {
			if (this.state === 'cut') return near.destroy();
			const far = net.connect(port(), '127.0.0.1');
			const pair = [near, far];
			this.pairs.add(pair);
			near.on('data', (bytes) => far.write(bytes));
			far.on('data', (bytes) => this.state === 'open' && this.later(bytes.length, () => near.write(bytes)));
			for (const end of pair) end.on('error', () => {}).on('close', () => { this.pairs.delete(pair); pair.forEach((other) => other.destroy()); });
		});
	}

	open() {
		return new Promise((done) => this.door.listen(0, '127.0.0.1', done));
	}

	later(bytes, act) {
		if (this.pace === Infinity) return act();
		this.free = Math.max(this.free, Date.now()) + bytes / this.pace * 1000;
		setTimeout(act, this.free - Date.now());
	}

	/** 'open'; 'cut': refused at once; 'silent': the server hears, and nobody hears the server. */
	become(state) {
		this.state = state;
		if (state !== 'silent') this.pairs.forEach((pair) => pair[0].destroy());
	}

	close() {
		this.become('cut');
		this.door.close();
	}
}

export class World {
	constructor(browser) {
		Object.assign(this, { browser, server: new Server(), people: [], noise: [], expected: [], allowed: new Set() });
		this.line = new Line(() => this.server.port);
	}

	async open(args) {
		await this.server.start(args);
		await this.line.open();
		this.base = this.address(this.server.port);
		this.lineBase = this.address(this.line.door.address().port);
	}

	address(port) {
		const base = `http://127.0.0.1:${port}`;
		this.allowed.add(base).add(base.replace('http', 'ws'));
		return base;
	}

	/** Chromium itself reports each answer of 400 and above and each failed connection on the console: only
	 * those that a promise names are let through. */
	expect(...noise) {
		this.expected.push(...noise);
	}

	async person(options = {}) {
		const context = await this.browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', ...LAPTOP, ...options });
		await context.addInitScript(() => addEventListener('securitypolicyviolation', (e) => console.error('forbidden by policy:', e.blockedURI, e.violatedDirective)));
		return this.tab(context);
	}

	/** Another tab of the same browser, with what that remembers. */
	async tab(context) {
		const page = await context.newPage();
		page.setDefaultTimeout(WITHIN);
		const note = (kind, text) => this.noise.push(`${kind}: ${text}`);
		const foreign = (url) => /^(blob|data|about):/.test(url) || this.allowed.has(new URL(url).origin) || note('request to elsewhere', url);
		page.on('request', (request) => foreign(request.url()));
		page.on('websocket', (socket) => foreign(socket.url()));
		page.on('console', (m) => ['error', 'warning'].includes(m.type()) && note('console ' + m.type(), `${m.text()} ${m.location().url}`));
		page.on('pageerror', (error) => note('exception', error.stack));
		page.on('dialog', (dialog) => { note('dialog', dialog.message()); dialog.dismiss(); });
		const person = new Person(page, this.base);
		this.people.push(person);
		return person;
	}

	/** A teacher in a new room, on the server's own address or on the line that can be cut. */
	async teacher(name = 'Ms Okafor', roomName = 'Physics 7b', options = {}) {
		const teacher = await this.person(options);
		await teacher.make(roomName, name, options.base);
		return teacher;
	}

	async pupil(teacher, name, options = {}) {
		const pupil = await this.person(options);
		await pupil.join((options.base || this.base) + '/#/room/' + teacher.room(), name);
		return pupil;
	}

	/** The room API; for crowds that need no browser. */
	async api(path, body, token) {
		const headers = { 'Accept-Language': 'en', ...(token && { Authorization: 'Bearer ' + token }) };
		const answer = await fetch(this.address(this.server.port) + path, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(WITHIN) });
		const { success, code, message, data } = await answer.json();
		assert.ok(success || code === 0, `${path}: ${message}`);
		return data;
	}

	/** Somebody without a screen says `count` texts, fast, on a socket; answers what its page would keep. */
	async crowd(teacher, count, text = (i) => `message ${i} ` + 'lorem ipsum '.repeat((i * 7) % 30), userName = 'Crowd') {
		const { user, token } = await this.api('/room/join', { roomId: teacher.room(), userName });
		const told = Array.from({ length: count }, (_, i) => ({ type: 'msg', uuid: randomUUID(), room: teacher.room(), data: { type: 'Text', text: text(i) } }));
		const page = await (await this.person()).page;
		await page.goto(this.base + '/');
		await page.evaluate(async ({ token, told }) => {
			const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
			await new Promise((opened) => { socket.onopen = opened; });
			socket.send(JSON.stringify({ type: 'auth', token }));
			// In portions, as many at once as the server takes of one socket.
			while (told.length) {
				const some = told.splice(0, 30);
				let missing = some.length;
				await new Promise((done, fail) => {
					socket.onmessage = ({ data }) => {
						const { type, code } = JSON.parse(data);
						if (type !== 'send') return;
						if (code) fail(new Error(data));
						if (!--missing) done();
					};
					some.forEach((frame) => socket.send(JSON.stringify(frame)));
				});
			}
			socket.close();
		}, { token, told });
		await page.context().close();
		return { user, token };
	}

	isClean() {
		const wrong = this.noise.filter((line) => !this.expected.some((known) => known.test(line)));
		assert.deepEqual(wrong, []);
	}

	async transcript() {
		const pages = this.people.map(({ page }) => page.evaluate(() => `${location.href} "${document.title}"\n${document.body.innerText}`).catch(String));
		return ['', ...await Promise.all(pages), ...this.noise, this.server.log.slice(-2000)].join('\n--\n').replace(/(.)\1{40,}/g, '$1…$1');
	}

	async close() {
		await Promise.all(this.people.map(({ page }) => page.context().close().catch(() => {})));
		this.line.close();
		await this.server.close();
	}
}

/** Somebody before the page, who does what people do. */
class Person {
	constructor(page, base) {
		Object.assign(this, { page, base });
		this.text = page.getByRole('textbox', { name: /^(Write a message|输入消息)$/ });
		this.log = page.getByRole('log');
		this.rows = this.log.locator('.row');
		this.own = this.log.locator('.own');
		this.bar = page.locator('#bar');
		this.dialog = page.getByRole('dialog').last();
	}

	async make(roomName, name, base = this.base) {
		await this.page.goto(base + '/');
		const form = this.page.locator('#create');
		await form.getByLabel(/^(Name of the room|房间名称)$/).fill(roomName);
		await form.getByLabel(/^(Your name|你的名字)$/).fill(name);
		await form.getByRole('button').click();
		await this.text.waitFor();
	}

	async knock(link, name) {
		await this.page.goto(link);
		await this.page.getByLabel(/^(Your name|你的名字)$/).fill(name);
		await this.page.locator('#join').getByRole('button').click();
	}

	/** On the first screen, by a room's number; does not wait until one is in. */
	async asks(room, name) {
		const form = this.page.locator('#join');
		await form.getByLabel(/^(Room number or link|房间号或链接)$/).fill(String(room));
		await form.getByLabel(/^(Your name|你的名字)$/).fill(name);
		await form.getByRole('button').click();
	}

	async join(link, name) {
		await this.knock(link, name);
		await this.text.waitFor();
	}

	/** The server does what is asked of it at `path`, and the answers wait: the n-th comes with `answer(n)`, or is lost. */
	async holds(path) {
		const held = [];
		await this.page.route('**' + path, async (route) => { held[held.length] = { route, response: route.fetch() }; });
		const next = async (n) => {
			const { route, response } = await eventually(`${path} is asked for, time ${n}`, () => held[n - 1]);
			return { route, response: await response };
		};
		return {
			count: () => held.length,
			asked: (n) => next(n),
			answer: async (n) => { const { route, response } = await next(n); await route.fulfill({ response }); },
			lose: async (n) => (await next(n)).route.abort('connectionreset'),
		};
	}

	room() {
		return Number(this.page.url().match(/room\/(\d+)/)[1]);
	}

	/** Writes and sends; does not wait until it is sent. */
	async types(text) {
		await this.text.fill(text);
		if (this.page.viewportSize().width < 500) await this.page.locator('.send').click();
		else await this.text.press('Enter');
	}

	async says(text) {
		await this.types(text);
		await this.isSent();
	}

	/** Nothing is left to send: what was sent is no longer kept. */
	async isSent() {
		await this.until(() => !Object.keys(localStorage).some((key) => key.startsWith('parlor.out.')) && !document.querySelector('.own:not([data-state=sent])'));
	}

	/** It is in the log, or becomes so. */
	async sees(text) {
		await this.log.getByText(text).first().waitFor();
	}

	async press(name, where = this.page) {
		await where.getByRole('button', { name, exact: true }).click();
	}

	/** An entry of the room's menu. */
	async choose(name) {
		await this.press('More', this.page.locator('header'));
		await this.press(name, this.dialog);
	}

	/** Waits until `what(document…)` holds in the page. */
	async until(what, arg) {
		await this.page.waitForFunction(what, arg, { timeout: WITHIN });
	}

	/** What was scrolled or turned has been drawn. */
	async isDrawn() {
		await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
	}

	/** Reads what is older. Who scrolls in the moment in which something is drawn scrolls again. */
	async scrollsUp(by) {
		await eventually('the end is out of view', async () => await this.page.getByRole('button', { name: /^↓/ }).isVisible()
			|| this.page.evaluate((by) => { document.querySelector('#messages').scrollTop -= by; }, by));
		await this.isDrawn();
	}

	/** Waits long before it tries again by itself, so that what the bar says meanwhile can be looked at, and pressed. */
	async isPatient() {
		await this.page.evaluate(() => { Math.random = () => 60; });
	}

	/** The browser says that the network is back: whoever waits tries at once. */
	async isBack() {
		await this.page.evaluate(() => dispatchEvent(new Event('online')));
	}

	/** 'connecting', 'waiting', 'catching', 'online', 'lost'. */
	async barIs(state) {
		await this.page.locator(`#bar[data-state=${state}]`).waitFor({ state: 'attached' });
	}

	/** The text of all messages in the document, in order. */
	messages() {
		return this.log.locator('.text').evaluateAll((all) => all.map((el) => [...el.childNodes].filter((n) => n.nodeName !== 'SMALL').map((n) => n.textContent).join('').trim()));
	}

	/** Nothing is wider than the screen. */
	async fits(what) {
		const wide = await this.page.evaluate(() => {
			const { clientWidth } = document.documentElement;
			const out = [...document.querySelectorAll('body *')].filter((el) => el.getBoundingClientRect().right > clientWidth + 1 && !el.closest('.hands'));
			const scrolls = [document.documentElement, ...document.querySelectorAll('main, .list, .dialog, .said')].filter((el) => el.scrollWidth > el.clientWidth + 1);
			return [...out, ...scrolls].map((el) => `${el.tagName}.${el.className}: ${el.textContent.slice(0, 40)}`);
		});
		assert.deepEqual(wide, [], `${what}: wider than the screen`);
	}

	/** Nothing for axe-core to say. */
	async isAccessible(what) {
		await this.page.evaluate(AXE);
		const found = await this.page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
		const said = found.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => `${n.html.slice(0, 200)} ${[...n.any, ...n.all, ...n.none].map((c) => c.message)}`).join('\n  ')}`);
		assert.deepEqual(said, [], `${what}: axe-core`);
	}
}

/** Fails if it takes too long. */
export async function within(what, waited, ms = WITHIN) {
	let timer;
	const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`not within ${ms} ms: ${what}`)), ms); });
	try {
		return await Promise.race([waited, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** As `waitForFunction`, on this side. */
export async function eventually(what, holds) {
	const end = Date.now() + WITHIN;
	for (;;) {
		const is = await holds();
		if (is) return is;
		assert.ok(Date.now() < end, `not within ${WITHIN} ms: ${what}`);
		await new Promise((done) => setTimeout(done, 50));
	}
}
