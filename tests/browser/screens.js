// `make screens` draws what README shows, into .github/screens: a class of eight in the middle of a lesson.

import { mkdirSync, statSync } from 'node:fs';
import { PHONE, World, launch } from './support.js';

const TO = new URL('../../.github/screens/', import.meta.url).pathname;
/** Who clones the repository carries them for ever. */
const MAX_BYTES = 100_000;

const PUPILS = ['Ben', 'Carla', 'Emil', 'Fatima', '小明', 'دانا'];
const LESSON = [
	['Ms Okafor', 'Good morning! The worksheet is on http://192.168.1.5:8080/sheet-7, page 2.'],
	['Carla', 'Got it, thanks!'],
	['Ben', 'Is the speed of light the same everywhere?'],
	['Emil', 'In a vacuum, yes: 299,792,458 metres a second.'],
	['小明', '老师，第三题怎么做？'],
	['Ms Okafor', 'Look at the drawing on the left: which forces act on the ball?'],
	['Fatima', 'Can somebody explain why it slows down although nobody touches it?'],
	['دانا', 'الاحتكاك؟'],
	['Ben', 'Friction! The floor pulls it back.', 'Can somebody'],
	['Ms Okafor', 'Well explained, Ben 👍'],
];

/** Where it is nine in the morning now: no lesson is at night. */
const east = (9 - new Date().getUTCHours() + 36) % 24 - 12;
const timezoneId = `Etc/GMT${east > 0 ? '-' : '+'}${Math.abs(east)}`;

async function room(world) {
	const teacher = await world.teacher('Ms Okafor', 'Physics 7b', { timezoneId });
	const ben = await world.pupil(teacher, 'Ben', { ...PHONE, timezoneId });
	const others = Object.fromEntries(await Promise.all(PUPILS.filter((name) => name !== 'Ben').map(async (name) => [name, await world.api('/room/join', { roomId: teacher.room(), userName: name })])));
	for (const [name, text, about] of LESSON) {
		const who = { 'Ms Okafor': teacher, Ben: ben }[name];
		const { user, token } = others[name] || {};
		if (about) {
			await who.rows.filter({ hasText: about }).locator('[data-act=actions]').click();
			await who.press('Reply', who.dialog);
		}
		if (who) await who.says(text);
		else await world.api('/message/send', { roomId: teacher.room(), userId: user.userId, message: { type: 'message', userId: user.userId, contentType: 'text', content: text } }, token);
		for (const other of [teacher, ben]) await other.sees(text);
	}
	for (const name of ['Carla', 'Emil']) await world.api(`/rooms/${teacher.room()}/hand`, { on: true }, others[name].token);
	await teacher.page.getByRole('button', { name: '✋ 2. Emil' }).waitFor();
	await teacher.page.mouse.move(0, 0);
	return [teacher, ben];
}

mkdirSync(TO, { recursive: true });
const world = new World();
try {
	await world.open(['--name', 'Class 7b', '--lang', 'en']);
	// The address of a classroom's network, not of whoever draws this.
	world.browser = await launch(`--host-resolver-rules=MAP 192.168.1.5:8080 127.0.0.1:${world.server.port}`);
	world.base = 'http://192.168.1.5:8080';
	const shoot = async (name, { page }, colorScheme, scale) => {
		await page.emulateMedia({ colorScheme });
		await page.waitForFunction(() => !document.querySelector('.bar:not(.calm)'));
		const path = `${TO}${name}.png`;
		await page.screenshot({ path, scale });
		const { size } = statSync(path);
		console.log(`${path}: ${size} bytes`);
		if (size > MAX_BYTES) throw new Error(`${name} is larger than ${MAX_BYTES} bytes`);
	};
	const [teacher, ben] = await room(world);
	await shoot('phone', ben, 'light', 'css');
	await shoot('phone-dark', ben, 'dark', 'css');
	await shoot('laptop', teacher, 'light');
	await shoot('laptop-dark', teacher, 'dark');
	const guest = await world.person(PHONE);
	await guest.page.goto(world.base + '/');
	await guest.page.waitForFunction(() => document.querySelector('#create') && document.querySelector('.home img').naturalWidth);
	await shoot('first', guest, 'light', 'css');
	await teacher.page.emulateMedia({ colorScheme: 'light' });
	await teacher.page.goto(`${world.base}/#/room/${ben.room()}/board`);
	await teacher.page.setViewportSize({ width: 1120, height: 612 });
	await teacher.page.waitForFunction(() => document.querySelector('.board img')?.naturalWidth && document.querySelector('.big'));
	await shoot('board', teacher, 'light');
} catch (why) {
	console.log(await world.transcript());
	throw why;
} finally {
	await world.close();
	await world.browser?.close();
}
