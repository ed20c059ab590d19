// The page for everyone: by keyboard alone, on small screens, in both languages, in light and dark, and with
// nothing for axe-core to say.

import assert from 'node:assert/strict';
import { LAPTOP, NO_LIMITS, PHONE, eventually, promise } from './support.js';

promise('the keyboard alone makes a room, writes, opens and closes dialogs, and keeps the focus', async (world) => {
	const anna = await world.person();
	const { keyboard } = anna.page;
	const focused = () => anna.page.evaluate(() => {
		const el = document.activeElement;
		return el.getAttribute('aria-label') || el.labels?.[0]?.textContent || el.textContent;
	});
	const tabTo = async (name) => {
		for (let i = 0; i < 30; i++) {
			if (await focused() === name) return;
			await keyboard.press('Tab');
		}
		assert.fail(`Tab does not reach ${name}, it is at ${await focused()}`);
	};
	await anna.page.goto(world.base + '/');
	await anna.page.getByLabel('Name of the room').waitFor();
	// Where the keyboard begins is no button: nothing is drawn around the whole screen.
	assert.deepEqual(await anna.page.evaluate(() => [document.activeElement.localName, getComputedStyle(document.activeElement).outlineStyle]), ['main', 'none']);
	await tabTo('Name of the room');
	await keyboard.type('Physics');
	await keyboard.press('Tab');
	await keyboard.type('Anna');
	await keyboard.press('Enter');
	await anna.text.waitFor();
	// One can write at once.
	assert.equal(await focused(), 'Write a message');
	await keyboard.type('first line');
	await keyboard.press('Shift+Enter');
	await keyboard.type('second line');
	await keyboard.press('Enter');
	await anna.isSent();
	assert.deepEqual(await anna.messages(), ['first line\nsecond line']);
	assert.equal(await focused(), 'Write a message');

	await keyboard.press('Shift+Tab');
	// The message's own menu, without a mouse.
	assert.equal(await focused(), 'Anna: More');
	await keyboard.press('Enter');
	assert.equal(await focused(), 'Anna');
	await keyboard.press('ArrowDown');
	await keyboard.press('ArrowDown');
	assert.equal(await focused(), 'Reply');
	for (let i = 0; i < 12; i++) {
		await keyboard.press('Tab');
		assert.ok(await anna.page.evaluate(() => Boolean(document.activeElement.closest('[role=dialog]'))), 'the focus stays in the dialog');
	}
	await keyboard.press('Escape');
	assert.equal(await anna.page.getByRole('dialog').count(), 0);
	assert.equal(await focused(), 'Anna: More');

	await tabTo('Raise hand');
	await keyboard.press('Enter');
	await anna.page.getByRole('button', { name: '✋ 1. Anna' }).waitFor();
	assert.equal(await focused(), 'Raise hand');
	await tabTo('Invite');
	await keyboard.press('Enter');
	await anna.page.getByRole('dialog', { name: 'Invite' }).waitFor();
	await keyboard.press('Escape');
	assert.equal(await focused(), 'Invite');

	const ben = await world.person();
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await ben.page.getByLabel('Your name').waitFor();
	for (let i = 0; i < 5 && !(await ben.page.evaluate(() => document.activeElement.id === 'name')); i++) await ben.page.keyboard.press('Tab');
	await ben.page.keyboard.type('Ben');
	await ben.page.keyboard.press('Enter');
	await ben.text.waitFor();
	// What others say takes no focus away.
	await ben.page.keyboard.type('half a sen');
	await anna.says('news');
	await ben.sees('news');
	await ben.page.keyboard.type('tence');
	assert.equal(await ben.text.inputValue(), 'half a sentence');
});

/** A room in which something of each kind has happened. */
async function busy(world, options = {}) {
	const teacher = await world.teacher('Ms Okafor', 'Physics 7b', options);
	const ben = await world.pupil(teacher, 'Ben', { ...PHONE, ...options });
	await teacher.says('Good morning! The worksheet is on https://example.org/physics/worksheet-7 (page 2).');
	await ben.says('Where is it?');
	await ben.says('שלום, איך קוראים לחדר הזה?');
	await teacher.sees('Where is it?');
	await teacher.rows.filter({ hasText: 'Where is it?' }).hover();
	await teacher.rows.filter({ hasText: 'Where is it?' }).locator('[data-act=actions]').click();
	await teacher.dialog.locator('[data-act=reply]').click();
	await teacher.says('On page 2, the drawing on the left.');
	await ben.page.locator('[data-act=hand]').click();
	await teacher.page.locator('[data-act=lower]').waitFor();
	return [teacher, ben];
}

for (const locale of ['en-GB', 'zh-CN']) {
	promise(`axe-core has nothing to say of any screen or dialog, light or dark (${locale})`, async (world) => {
		const [teacher, ben] = await busy(world, { locale });
		const guest = await world.person({ locale });
		for (const colorScheme of ['light', 'dark']) {
			for (const { page } of [teacher, ben, guest]) await page.emulateMedia({ colorScheme });
			const is = (what) => `${what}, ${colorScheme}`;
			await guest.page.goto(world.base + '/');
			await guest.page.locator('#create').waitFor();
			await guest.isAccessible(is('the first screen'));
			await guest.page.goto(`${world.base}/#/room/${teacher.room()}`);
			await guest.page.locator('#name').waitFor();
			await guest.isAccessible(is('the door'));
			await teacher.isAccessible(is('the room'));
			await ben.isAccessible(is('the room on a phone'));
			const opened = async (name, ...acts) => {
				for (const act of acts) await teacher.page.locator(`[data-act=${act}]`).last().click();
				await teacher.page.locator(`[data-dialog=${name}]`).waitFor();
				await teacher.isAccessible(is(acts.join(' ')));
			};
			const close = async () => {
				for (let n; (n = await teacher.page.getByRole('dialog').count()); ) {
					await teacher.page.keyboard.press('Escape');
					await teacher.until((n) => document.querySelectorAll('[role=dialog]').length < n, n);
				}
			};
			await opened('people', 'people');
			await opened('menu', 'member');
			await close();
			await opened('menu', 'more');
			await opened('settings', 'settings');
			await close();
			await opened('search', 'more', 'search');
			await close();
			await opened('share', 'share');
			await close();
			await teacher.page.goto(`${world.base}/#/room/${teacher.room()}/board`);
			await teacher.page.locator('.board .big').first().waitFor();
			await teacher.isAccessible(is('the board'));
			await teacher.page.goto(`${world.base}/#/room/${teacher.room()}`);
			await teacher.sees('Where is it?');
		}
	});
}

promise('nothing is wider than a phone, nor than 320 pixels, nor with letters twice as large', async (world) => {
	const [teacher, ben] = await busy(world);
	for (const [width, height, size] of [[360, 740, '100%'], [320, 568, '100%'], [320, 568, '200%']]) {
		for (const who of [teacher, ben]) {
			await who.page.setViewportSize({ width, height });
			await who.page.evaluate((size) => { document.documentElement.style.fontSize = size; }, size);
			const is = (what) => `${what} at ${width} pixels, letters ${size}`;
			await who.fits(is('the room'));
			for (const act of ['people', 'more', 'share']) {
				await who.page.locator(`[data-act=${act}]`).first().click();
				await who.page.getByRole('dialog').waitFor();
				await who.fits(is(act));
				await who.page.keyboard.press('Escape');
			}
		}
		await teacher.page.locator('[data-act=more]').click();
		await teacher.page.locator('[data-act=settings]').click();
		await teacher.page.locator('[data-dialog=settings]').waitFor();
		await teacher.fits(`the settings at ${width} pixels, letters ${size}`);
		await teacher.page.keyboard.press('Escape');
		await ben.page.getByRole('link', { name: 'All rooms' }).click();
		await ben.page.locator('#create').waitFor();
		await ben.fits(`the first screen at ${width} pixels, letters ${size}`);
		await ben.page.goBack();
		await ben.text.waitFor();
	}
});

promise('a phone with its keyboard up leaves room for messages, whatever is being written', async (world) => {
	const [teacher, ben] = await busy(world);
	await teacher.says('What does it mean that a body at rest stays at rest? '.repeat(6));
	await ben.page.setViewportSize({ width: 320, height: 260 });
	await ben.sees('What does it mean');
	await ben.rows.filter({ hasText: 'What does it mean' }).locator('[data-act=actions]').click();
	await ben.press('Reply', ben.dialog);
	await ben.text.fill('It means that nothing moves by itself, as Newton wrote. '.repeat(8));
	const heights = () => ben.page.evaluate(() => Object.fromEntries(['.middle', '.foot', '.context', '#text'].map((what) => [what, Math.round(document.querySelector(what).getBoundingClientRect().height)])));
	const is = await heights();
	const hand = await ben.page.locator('.chip').evaluate((el) => el.getBoundingClientRect().height);
	assert.ok(hand >= 24, `who raised a hand is in view: ${hand} pixels`);
	assert.ok(is['.middle'] >= 80 && is['#text'] >= 44, JSON.stringify(is));
	const [box, first] = await ben.page.locator('.context').evaluate((el) => [el, el.querySelector('b')].map((e) => e.getBoundingClientRect().top));
	assert.ok(first >= box, 'whom one answers is in view');
	const bottom = await ben.page.locator('.send').evaluate((el) => el.getBoundingClientRect().bottom);
	assert.ok(bottom <= 260, 'the button to send is in view');
	await ben.fits('a keyboard up');
});

promise('a long name among the raised hands leaves room for the next at 320 pixels', async (world) => {
	const teacher = await world.teacher('Ms Okafor', 'Physics 7b', { viewport: { width: 320, height: 568 } });
	const name = 'Maximiliane Alexandra von und zu Hohenstein-Wittelsbach the Third';
	const pupils = await Promise.all([name.slice(0, 64), 'Ben'].map((userName) => world.api('/room/join', { roomId: teacher.room(), userName })));
	for (const { token } of pupils) await world.api(`/rooms/${teacher.room()}/hand`, { on: true }, token);
	const second = teacher.page.getByRole('button', { name: '✋ 2. Ben' });
	await second.waitFor();
	const { left } = await second.evaluate((el) => el.getBoundingClientRect().toJSON());
	assert.ok(left < 240, `the second hand begins at ${left}`);
	const height = await teacher.page.locator('.hands').evaluate((el) => el.getBoundingClientRect().height);
	assert.ok(height < 70, `one line, not ${height} pixels`);
	await teacher.fits('raised hands');
	await teacher.isAccessible('raised hands');
});

promise('English and Chinese are chosen by the browser, and switched', async (world) => {
	const teacher = await world.teacher('王老师', '物理', { locale: 'zh-CN' });
	await teacher.says('同学们好');
	assert.equal(await teacher.page.evaluate(() => document.documentElement.lang), 'zh-CN');
	await teacher.sees('⁨王老师⁩ 加入了房间');
	const ben = await world.pupil(teacher, 'Ben', { locale: 'de-DE' });
	await ben.sees('⁨Ben⁩ joined');
	await ben.press('More', ben.page.locator('header'));
	await ben.press('中文', ben.dialog);
	await ben.sees('⁨Ben⁩ 加入了房间');
	await ben.page.getByRole('button', { name: '2/2 在线' }).waitFor();
	assert.equal(await ben.page.evaluate(() => document.documentElement.lang), 'zh-CN');
	// It stays so.
	await ben.page.reload();
	await ben.sees('⁨Ben⁩ 加入了房间');
	// No word of the other language is left on the way, and none is missing.
	await ben.page.getByRole('link', { name: '所有房间' }).click();
	await ben.page.locator('#create').waitFor();
	assert.deepEqual(await ben.page.locator('label').evaluateAll((all) => all.map((el) => el.textContent.trim()).filter((text) => !/[\u4e00-\u9fff]/.test(text))), []);
	await ben.press('English');
	await ben.page.getByLabel('Name of the room').waitFor();
});

promise('switching the language on the first screen keeps all that was typed there, and the focus', async (world) => {
	const anna = await world.person();
	await anna.page.goto(world.base + '/');
	const typed = { room: '7', name: 'Ben', password: 'open sesame', 'room-name': 'Physics', 'my-name': 'Anna', 'room-password': '' };
	for (const [id, value] of Object.entries(typed)) await anna.page.locator('#' + id).fill(value);
	const values = () => anna.page.evaluate(() => Object.fromEntries([...document.querySelectorAll('input')].map(({ id, value }) => [id, value])));
	const focused = () => anna.page.evaluate(() => document.activeElement.dataset.act);
	await anna.page.locator('[data-act=language]').press('Enter');
	await anna.page.getByLabel('房间名称').waitFor();
	assert.deepEqual(await values(), typed);
	assert.equal(await focused(), 'language');
	await anna.page.locator('[data-act=language]').press('Enter');
	await anna.page.getByLabel('Name of the room').waitFor();
	await anna.press('Make a room', anna.page.locator('#create'));
	await anna.sees('⁨Anna⁩ joined');

	// The same at the door, with what was refused there.
	world.expect(/status of 403 .*\/room\/join/);
	const { token } = await anna.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	await world.api(`/rooms/${anna.room()}/owner`, { act: 'password', password: 'open sesame' }, token);
	const ben = await world.person();
	await ben.knock(`${world.base}/#/room/${anna.room()}`, 'Ben');
	await ben.page.getByRole('alert').getByText(/password/).waitFor();
	await ben.page.getByLabel('Password').fill('open sesame');
	await ben.page.locator('[data-act=language]').click();
	assert.equal(await ben.page.getByLabel('密码').inputValue(), 'open sesame');
	assert.equal(await ben.page.getByLabel('你的名字').inputValue(), 'Ben');
	await ben.page.getByLabel('密码').press('Enter');
	await ben.text.waitFor();
});

promise('what is refused is said where one pressed, in view on a small phone', async (world) => {
	world.expect(/status of 40\d .*\/room\/(join|create)/);
	for (let i = 0; i < 8; i++) await world.api('/room/create', { roomName: `Room of ${i}`, userName: 'Anna', listed: true });
	for (const [width, height] of [[320, 568], [390, 844]]) {
		const ben = await world.person({ ...PHONE, viewport: { width, height } });
		await ben.page.goto(world.base + '/');
		const isInView = async (role, card, text) => {
			const el = ben.page.locator(card).getByRole(role).getByText(text);
			await el.waitFor();
			await eventually(`${text} is in view at ${width} pixels`, async () => {
				const { top, bottom } = await el.evaluate((el) => el.getBoundingClientRect().toJSON());
				return top >= 0 && bottom < height + 1;
			});
		};
		const pressed = async (card, path, fields, text) => {
			const call = await ben.holds(path);
			for (const [id, value] of Object.entries(fields)) await ben.page.locator(id).fill(value);
			await ben.page.locator(card).getByRole('button').click();
			await isInView('status', card, 'Connecting …');
			await call.answer(1);
			await isInView('alert', card, text);
			await ben.isAccessible(`${card}, refused`);
		};
		await pressed('#join', '/room/join', { '#room': '4711', '#name': 'Ben' }, 'There is no such room.');
		await pressed('#create', '/room/create', { '#room-name': 'x'.repeat(65), '#my-name': 'Ben' }, /too long/);
		assert.equal(await ben.page.getByRole('alert').getByText('There is no such room.').count(), 0);
		await ben.fits('a refusal');
	}
});

promise('what is under way and what was refused are said in the language of now', async (world) => {
	world.expect(/status of 404 .*\/room\/join/, /net::ERR_/);
	const ben = await world.person();
	const join = await ben.holds('/room/join');
	await ben.page.goto(world.base + '/');
	await ben.page.getByLabel('Room number or link').fill('4711');
	await ben.page.locator('#name').fill('Ben');
	await ben.press('Join', ben.page.locator('#join'));
	const [status, alert] = ['status', 'alert'].map((role) => ben.page.locator('main').getByRole(role));
	const language = ben.page.locator('[data-act=language]');
	await status.getByText('Connecting …').waitFor();
	await language.click();
	await status.getByText('正在连接…').waitFor();
	await join.lose(1);
	await alert.getByText('服务器没有响应。').waitFor();
	await language.click();
	await alert.getByText('The server does not answer.').waitFor();
	await status.getByText('Connecting …').waitFor();
	await join.answer(2);
	await alert.getByText('There is no such room.').waitFor();
	await language.click();
	await alert.getByText('房间不存在').waitFor();
	await language.click();
	await alert.getByText('There is no such room.').waitFor();
	assert.equal(await status.textContent(), '');
});

promise('the board shows the way in and the newest messages, as large as a wall needs', async (world) => {
	const [teacher, ben] = await busy(world);
	await teacher.choose('Board for the wall');
	await teacher.page.setViewportSize({ width: 1920, height: 1080 });
	const qr = teacher.page.getByRole('img', { name: /^QR / });
	await qr.waitFor();
	await teacher.until(() => document.querySelector('.board img').naturalWidth > 0);
	assert.match(await qr.getAttribute('alt'), new RegExp(`/#/room/${ben.room()}$`));
	await teacher.page.getByText(`Room ${ben.room()}`, { exact: true }).waitFor();
	await ben.says('seen from the last row');
	const last = teacher.page.locator('.big').last();
	await last.getByText('seen from the last row').waitFor();
	// Whoever looks elsewhere meanwhile has seen it on the wall; and the keyboard is where the screen begins.
	await teacher.page.evaluate(() => { document.hasFocus = () => false; });
	assert.equal(await teacher.page.evaluate(() => document.activeElement.className), 'board');
	assert.ok(await last.evaluate((el) => parseFloat(getComputedStyle(el).fontSize)) >= 36);
	const isInView = (height) => eventually('the newest is in view', async () => await last.evaluate((el) => el.getBoundingClientRect().bottom) < height);
	await isInView(1070);
	for (let i = 0; i < 12; i++) await ben.says(`line ${i}`);
	await last.getByText('line 11').waitFor();
	await teacher.until(() => document.title === 'Physics 7b · parlor');
	await isInView(1070);
	// A projector's window becomes another: the newest stays in view.
	await teacher.page.setViewportSize({ width: 1280, height: 500 });
	await teacher.until(() => innerHeight === 500);
	await isInView(495);
	await teacher.fits('the board');
	// Who stands before the wall sees that it no longer follows.
	world.expect(/WebSocket connection to .* failed/, /net::ERR_/);
	await world.server.kill();
	await teacher.page.locator('.board .bar').getByText('Offline: trying again').waitFor();
	await teacher.fits('the board without a server');
	await world.server.start();
	await teacher.page.locator('.board .bar').waitFor({ state: 'detached' });
	await teacher.page.getByRole('link', { name: 'Close' }).click();
	await teacher.sees('line 11');
});

promise('the invitation shows a link and its QR code, and the link needs only a name', async (world) => {
	const teacher = await world.teacher();
	await teacher.press('Invite');
	await teacher.until(() => document.querySelector('.qr')?.naturalWidth > 0);
	const link = await teacher.dialog.getByRole('textbox').inputValue();
	assert.match(link, new RegExp(`^http://[^/]+/#/room/${teacher.room()}$`));
	const ben = await world.person(LAPTOP);
	await ben.page.goto(world.base + link.slice(link.indexOf('/#')));
	assert.equal(await ben.page.locator('main').getByRole('textbox').count() || await eventually('a field', () => ben.page.getByRole('textbox').count()), 1);
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.getByLabel('Your name').press('Enter');
	await ben.text.waitFor();
});

promise('invitation and board lead to the address that others reach, after a reload too', async (world) => {
	const teacher = await world.teacher();
	// Another name of this server, as a phone may have it: the page is on 127.0.0.1.
	const lan = `http://localhost:${world.server.port}`;
	await teacher.page.route('**/where', (route) => route.fulfill({ json: { name: 'parlor', addresses: [lan], rooms: [] } }));
	await teacher.page.reload();
	await teacher.text.waitFor();
	await teacher.press('Invite');
	const link = `${lan}/#/room/${teacher.room()}`;
	await eventually('the link', async () => await teacher.dialog.getByRole('textbox').inputValue() === link);
	await teacher.page.keyboard.press('Escape');
	await teacher.choose('Board for the wall');
	await teacher.page.reload();
	await teacher.page.getByRole('img', { name: 'QR ' + link, exact: true }).waitFor();
	await teacher.page.getByText(link, { exact: true }).waitFor();
});

promise('blanks are no name: nobody is let in without one', async (world) => {
	const anna = await world.person();
	let asked = 0;
	anna.page.on('request', (request) => { asked += request.url().endsWith('/room/create'); });
	await anna.page.goto(world.base + '/');
	const form = anna.page.locator('#create');
	await form.getByLabel('Name of the room').fill('Physics');
	const name = form.getByLabel('Your name');
	await name.fill('   ');
	await form.getByRole('button').click();
	assert.equal(await name.evaluate((el) => el.matches(':invalid') && el === document.activeElement), true);
	await name.fill(' Anna ');
	await form.getByRole('button').click();
	await anna.sees('⁨Anna⁩ joined');
	assert.equal(asked, 1);
});

promise('a name that is taken comes with another that is free', async (world) => {
	world.expect(/status of 40\d .*\/room\/join/);
	const teacher = await world.teacher();
	await world.pupil(teacher, 'Ben');
	const other = await world.person();
	await other.knock(`${world.base}/#/room/${teacher.room()}`, 'Ben');
	await other.page.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
	const offered = await other.page.getByLabel('Your name').inputValue();
	assert.notEqual(offered, 'Ben');
	await other.page.locator('#join').getByRole('button').click();
	await other.says(`I am ${offered}`);
});

promise('a closed list offers the rooms of --room, and no way to make one', ['--closed', '--room', 'Maths', '--room', 'Art:paint', '--name', 'Class 7b', '--lang', 'en'], async (world) => {
	const ben = await world.person(PHONE);
	await ben.page.goto(world.base + '/');
	await ben.page.getByRole('heading', { name: 'Class 7b' }).waitFor();
	assert.equal(await ben.page.locator('#create').count(), 0);
	await ben.page.getByRole('link', { name: /Art/ }).waitFor();
	assert.notEqual(await ben.page.locator('nav a').first().evaluate((el) => getComputedStyle(el).backgroundColor), 'rgba(0, 0, 0, 0)', 'a room looks like something to press');
	await ben.isAccessible('the first screen of a closed server');
	await ben.page.getByRole('link', { name: /Maths/ }).click();
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.locator('#join').getByRole('button').click();
	await ben.says('here');
	await ben.until(() => document.title === 'Maths · Class 7b');
});

promise('what the server offers is asked for until it is known, and its coming moves no focus', ['--closed', '--room', 'Maths'], async (world) => {
	world.expect(/ERR_CONNECTION_RESET.*\/where/);
	const ben = await world.person(PHONE);
	const where = await ben.holds('/where');
	await ben.page.goto(world.base + '/');
	await where.lose(1);
	await ben.page.getByLabel('Your name').first().fill('Ben');
	await where.answer(2);
	await ben.page.getByRole('link', { name: /Maths/ }).waitFor();
	assert.equal(await ben.page.locator('#create').count(), 0);
	assert.equal(await ben.page.evaluate(() => document.activeElement.value), 'Ben');
});

promise('a room\'s number is understood as people write it', async (world) => {
	const teacher = await world.teacher();
	for (const number of ['#1', '１', ' 1 ', `${world.base}/#/room/1/`, `${world.base}/#/ROOM/1/board`]) {
		const ben = await world.person(PHONE);
		await ben.page.goto(world.base + '/');
		await ben.asks(number, 'Ben ' + number.length);
		await ben.text.waitFor();
		assert.equal(ben.room(), teacher.room());
		await ben.page.context().close();
	}
});

promise('whatever breaks every promise is noticed', async (world) => {
	const anna = await world.person();
	await anna.page.goto(world.base + '/');
	await anna.page.evaluate(() => {
		console.error('said');
		setTimeout(() => { throw new Error('thrown'); });
		document.body.append(document.createElement('style'));
		document.querySelector('style').textContent = '* { color: red }';
	});
	const noticed = (kind) => eventually(`noticed: ${kind}`, () => world.noise.some((line) => line.startsWith(kind)));
	for (const kind of ['console error: said', 'exception: Error: thrown', 'console error: forbidden by policy']) await noticed(kind);
	// What the page had still to do would go with it.
	await anna.page.goto('http://127.0.0.1:1/').catch(() => {});
	await noticed('request to elsewhere: http://127.0.0.1:1/');
	assert.throws(() => world.isClean());
	world.noise = [];
});

promise('the focus is seen on every button, and falls nowhere', NO_LIMITS, async (world) => {
	const anna = await world.teacher('Anna');
	await world.crowd(anna, 60);
	await anna.sees('message 59 ');
	await anna.text.fill('x');
	await anna.text.press('Tab');
	const seen = await anna.page.evaluate(() => {
		const { outlineColor, outlineStyle, backgroundColor } = getComputedStyle(document.activeElement);
		return document.activeElement.classList.contains('send') && outlineStyle === 'solid' && outlineColor !== backgroundColor;
	});
	assert.ok(seen, 'Send shows that it has the focus');
	const newest = anna.page.getByRole('button', { name: '↓ Newest' });
	await eventually('the end is out of view', async () => {
		await anna.page.evaluate(() => { document.querySelector('#messages').scrollTop = 0; });
		return newest.isVisible();
	});
	await newest.focus();
	await anna.page.keyboard.press('Enter');
	await newest.waitFor({ state: 'hidden' });
	assert.equal(await anna.page.evaluate(() => document.activeElement.id), 'messages');
});

promise('what one said oneself and what was there before are not read out again', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	const live = (who) => who.log.getAttribute('aria-live');
	await eventually('it is polite', async () => await live(ben) === 'polite');
	await ben.says('mine');
	assert.equal(await ben.own.getAttribute('aria-live'), 'off');
	await anna.says('hers');
	await ben.sees('hers');
	assert.equal(await ben.rows.last().getAttribute('aria-live'), null);
	await ben.page.reload();
	await ben.sees('hers');
	assert.equal(await live(ben), 'off', 'just after what is old was drawn');
	await eventually('it is polite again', async () => await live(ben) === 'polite');
});

promise('everything one presses is large enough, with letters twice as large and in forced colours, too', async (world) => {
	world.expect(/status of 404 .*\/room\/join/);
	const anna = await world.person({ viewport: { width: 320, height: 568 } });
	const small = () => anna.page.evaluate(() => [...document.querySelectorAll('a,button,input')].map((el) => [el, el.getBoundingClientRect()]).filter(([el, { width, height }]) => !el.closest('.text') && width && (width < 24 || height < 24)).map(([el]) => el.outerHTML));
	await anna.make('Physics 7b', 'Anna');
	await anna.page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
	await anna.choose('Room settings');
	await anna.page.getByRole('dialog', { name: 'Room settings' }).waitFor();
	assert.deepEqual(await small(), []);
	await anna.page.keyboard.press('Escape');
	await anna.choose('Board for the wall');
	await anna.page.evaluate(() => { document.documentElement.style.fontSize = ''; });
	await anna.page.setViewportSize({ width: 768, height: 1024 });
	assert.deepEqual(await small(), []);
	await anna.page.goto(world.base + '/#/room/77');
	await anna.page.getByRole('link', { name: 'All rooms' }).waitFor();
	assert.deepEqual(await small(), []);
	await anna.page.goto(world.base + '/#/room/1');
	await anna.page.emulateMedia({ forcedColors: 'active' });
	const edge = (selector) => anna.page.locator(selector).first().evaluate((el) => [getComputedStyle(el).borderTopStyle, parseFloat(getComputedStyle(el).borderTopWidth)]);
	assert.deepEqual(await edge('.send'), ['solid', 1]);
	await anna.press('Raise hand');
	await anna.page.locator('[data-act=hand][aria-pressed=true]').waitFor();
	assert.deepEqual(await edge('[data-act=hand]'), ['solid', 3]);
});

promise('many raised hands are in reach of a pupil\'s keyboard', NO_LIMITS, async (world) => {
	const teacher = await world.teacher();
	const pupil = await world.pupil(teacher, 'Ben', PHONE);
	await pupil.barIs('online');
	assert.equal(await pupil.page.locator('.hands').isVisible(), false);
	for (let i = 0; i < 12; i++) {
		const { token } = await world.api('/room/join', { roomId: teacher.room(), userName: i ? `Pupil number ${i}` : 'مريم الطويلة من الصف السابع' });
		await pupil.page.evaluate(([token, room]) => {
			const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
			socket.onopen = () => { socket.send(JSON.stringify({ type: 'auth', token })); socket.send(JSON.stringify({ type: 'hand', room, on: true })); };
			(window.sockets ||= []).push(socket);
		}, [token, teacher.room()]);
	}
	await pupil.page.locator('.chip').nth(11).waitFor();
	await pupil.isAccessible('many hands');
	await pupil.page.locator('.hands').focus();
	assert.equal(await pupil.page.evaluate(() => document.activeElement.className), 'hands');
});

promise('the board shows who said a long one, and its bar hides no name', async (world) => {
	const teacher = await world.teacher('Ms Okafor', 'W'.repeat(50));
	const ben = await world.pupil(teacher, 'Ben');
	await teacher.choose('Board for the wall');
	for (const [width, height] of [[1280, 720], [1920, 1080]]) {
		await teacher.page.setViewportSize({ width, height });
		await teacher.until(() => document.querySelector('.board img')?.naturalWidth > 0);
		const bottom = await teacher.page.locator('.board a').evaluate((el) => el.getBoundingClientRect().bottom);
		assert.ok(bottom <= height, `the way in ends at ${bottom} of ${height}`);
	}
	await ben.says('so long '.repeat(400));
	const name = teacher.page.locator('.big bdi').last();
	await name.waitFor();
	await teacher.until(() => [...document.querySelectorAll('.big bdi')].pop().getBoundingClientRect().top >= 0);
	world.expect(/WebSocket connection to .* failed/, /net::ERR_/);
	await world.server.kill();
	const bar = teacher.page.locator('.board .bar');
	await bar.waitFor();
	const under = await bar.evaluate((el) => el.getBoundingClientRect().bottom);
	assert.ok(await teacher.page.locator('.board h1').evaluate((el) => el.getBoundingClientRect().top) >= under);
});
