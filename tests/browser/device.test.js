// What a device remembers, and what several tabs of one browser share.

import assert from 'node:assert/strict';
import { eventually, promise } from './support.js';

/** What Chromium says of a server that is not there, and of a room that is not. */
const NOISE = [/WebSocket connection to .* failed/, /net::ERR_(CONNECTION_|EMPTY_RESPONSE)/, /status of 40\d .*\/room\/join/];

const kept = (who, start) => who.page.evaluate((start) => Object.keys(localStorage).filter((key) => key.startsWith('parlor.' + start)), start);

/** Chromium without a screen believes every page to be in front. */
const lookAway = (who) => who.page.evaluate(() => { document.hasFocus = () => false; });

promise('a room of another database is another room, even if it has the old one\'s number', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna', 'Physics 7b');
	const ben = await world.pupil(anna, 'Ben');
	for (let i = 0; i < 12; i++) await ben.says(`old ${i}.`);
	await anna.sees('old 11.');
	await world.server.kill();
	await ben.barIs('waiting');
	await ben.types('never sent');
	await world.server.startAnew();
	for (const who of [anna, ben]) await who.page.getByText('You are no longer in this room.').waitFor();

	// Another teacher has made room 1 by now.
	const { room, token, user } = await world.api('/room/create', { roomName: 'Chemistry', userName: 'Mr Li', listed: true });
	assert.equal(room.id, 1);
	// What is handed out there is up to a second old.
	await eventually('it is listed', async () => (await (await fetch(world.base + '/where')).json()).rooms.length);
	for (const who of [anna, ben]) {
		await who.page.getByRole('link', { name: 'All rooms' }).click();
		await who.page.locator('#rooms').getByText('Chemistry').waitFor();
		assert.equal(await who.page.getByText('Physics 7b').count(), 0, 'the first screen offers what is there');
	}
	await anna.join(`${world.base}/#/room/1`, 'Anna');
	await ben.join(`${world.base}/#/room/1`, 'Ben');
	// What was not sent is not lost, and not said to others, either.
	const failed = ben.log.locator('[data-state=failed]', { hasText: 'never sent' });
	await failed.getByText('not sent: you were out of the room').waitFor();
	await ben.types('hello');
	await anna.sees('hello');
	assert.deepEqual(await anna.messages(), ['hello']);
	await ben.press('Delete', failed);
	await ben.isSent();
	assert.deepEqual(await ben.messages(), ['hello']);

	// What is new there is unread, although the old room was read further.
	await lookAway(ben);
	await world.api('/message/send', { roomId: room.id, userId: user.userId, message: { type: 'message', userId: user.userId, contentType: 'text', content: 'new here' } }, token);
	await ben.until(() => document.title === '(1) Chemistry · parlor');
	await ben.log.locator('.unread').waitFor();

	// The old room's owner has no key of the new one.
	const { id } = await anna.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	await world.api(`/rooms/${room.id}/owner`, { act: 'appoint', user: id, on: true }, token);
	await anna.sees('is now an owner');
	await anna.choose('Room settings');
	await anna.dialog.getByRole('button', { name: /^New owner link/ }).waitFor();
	assert.equal(await anna.page.locator('#ownerHint').count(), 0);
});

promise('what one wrote outlives a reload, and being taken out of the room, and is sent by nobody else', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	await ben.text.fill('half a thought');
	await ben.page.reload();
	await ben.text.waitFor();
	assert.equal(await ben.text.inputValue(), 'half a thought');
	await ben.says('said');
	await ben.page.reload();
	await ben.sees('said');
	assert.equal(await ben.text.inputValue(), '');

	world.line.become('cut');
	await ben.barIs('waiting');
	await ben.types('said to nobody');
	await ben.text.fill('half another');
	const [{ token }, { id }] = await Promise.all([anna, ben].map((who) => who.page.evaluate(() => JSON.parse(localStorage['parlor.me']))));
	await world.api(`/rooms/${anna.room()}/owner`, { act: 'kick', user: id }, token);
	world.line.become('open');
	await ben.isBack();
	const unsent = ben.page.getByLabel('not sent');
	await unsent.waitFor();
	assert.equal(await unsent.inputValue(), 'said to nobody\n\nhalf another');
	await ben.isAccessible('the door with what was not sent');
	// Whoever comes to the door again is let in.
	await ben.page.reload();
	await ben.text.waitFor();
	assert.equal(await ben.text.inputValue(), 'half another');
	const failed = ben.log.locator('[data-state=failed]', { hasText: 'said to nobody' });
	await failed.getByText('not sent: you were out of the room').waitFor();
	assert.deepEqual(await anna.messages(), ['said']);
	await ben.press('Retry', failed);
	await anna.sees('said to nobody');
	await ben.isSent();

	// So it is when the room is closed.
	await ben.text.fill('a last word');
	await world.api(`/rooms/${anna.room()}/owner`, { act: 'close' }, token);
	await ben.page.getByText('This room was closed.').waitFor();
	assert.equal(await unsent.inputValue(), 'a last word');
});

promise('a draft outlives a reload with what it answers, while that is there', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	const answers = async (text) => {
		await ben.rows.filter({ hasText: text }).locator('[data-act=actions]').click();
		await ben.press('Reply', ben.dialog);
	};
	const strip = ben.page.locator('.context');
	await anna.says('What is two and two?');
	await anna.says('And three and three?');
	await ben.sees('And three');
	await answers('What is two');
	await ben.text.fill('Fo');
	await ben.page.reload();
	await strip.getByText('What is two and two?').waitFor();
	await strip.getByText('Anna').waitFor();
	assert.equal(await ben.text.inputValue(), 'Fo');
	await ben.says('Four');
	await anna.rows.filter({ hasText: 'Four' }).locator('.quote', { hasText: 'What is two' }).waitFor();
	await ben.page.reload();
	await ben.sees('Four');
	assert.equal(await strip.textContent(), '');

	// What lies beneath an edit is an answer, too.
	await answers('And three');
	await ben.text.fill('Six');
	await ben.rows.filter({ hasText: 'Four' }).locator('[data-act=actions]').click();
	await ben.press('Edit', ben.dialog);
	await ben.page.reload();
	await strip.getByText('And three and three?').waitFor();
	assert.equal(await ben.text.inputValue(), 'Six');
	await ben.page.goto('about:blank');
	await anna.rows.filter({ has: anna.page.locator('.text', { hasText: 'And three' }) }).locator('[data-act=actions]').click();
	await anna.press('Delete', anna.dialog);
	await anna.press('OK', anna.dialog);
	await anna.sees(/^1 deleted$/);
	await ben.page.goto(anna.page.url());
	await ben.sees(/^1 deleted$/);
	await ben.until(() => !document.querySelector('.context').textContent);
	assert.equal(await ben.text.inputValue(), 'Six');
});

promise('an answer that is chosen in one tab, before a word of it, stays there, and does not stir up the other', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('What is two and two?');
	const ben = await world.pupil(anna, 'Ben');
	const other = await world.tab(ben.page.context());
	await other.page.goto(ben.page.url());
	await other.sees('What is two');
	for (const { page } of [ben, other]) await page.evaluate(() => { window.stirred = 0; addEventListener('storage', () => { window.stirred++; }); });
	await other.rows.locator('[data-act=actions]').click();
	await other.press('Reply', other.dialog);
	for (const text of ['one', 'two', 'three']) {
		await anna.says(text);
		for (const who of [ben, other]) await who.sees(text);
	}
	// Each tab that has read something tells the other so.
	for (const { page } of [ben, other]) assert.ok(await page.evaluate(() => window.stirred) < 20);
	await other.page.reload();
	await other.page.locator('.context').getByText('What is two and two?').waitFor();
});

promise('an edit that was not finished outlives a reload', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('mine');
	await anna.text.fill('half a thought');
	await anna.rows.locator('[data-act=actions]').click();
	await anna.press('Edit', anna.dialog);
	await anna.text.fill('mine, better');
	await anna.page.reload();
	await anna.sees('mine');
	assert.equal(await anna.text.inputValue(), 'half a thought\n\nmine, better');
});

promise('where the browser refuses to keep anything, the page works for as long as it is open', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.person();
	await ben.page.addInitScript(() => Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } }));
	await ben.join(`${world.base}/#/room/${anna.room()}`, 'Ben');
	await ben.types('from nowhere');
	await anna.sees('from nowhere');
	await ben.own.getByRole('img', { name: 'sent', exact: true }).waitFor();
});

promise('a room that is no more is forgotten by who knocks at it', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna', 'Physics 7b');
	await anna.says('hello');
	await world.server.kill();
	await world.server.startAnew();
	await anna.page.getByText('You are no longer in this room.').waitFor();
	await anna.page.locator('#join').getByRole('button').click();
	await anna.page.getByRole('alert').getByText('There is no such room.').waitFor();
	assert.deepEqual(await kept(anna, 'seen.'), []);
	await anna.page.getByRole('link', { name: 'All rooms' }).click();
	await anna.page.locator('#create').waitFor();
	assert.equal(await anna.page.getByText('Physics 7b').count(), 0);
});

promise('two tabs of one browser are one person: each shows all, and nothing is sent twice', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	const other = await world.tab(ben.page.context());
	const link = `${world.lineBase}/#/room/${anna.room()}`;
	await other.page.goto(link);
	// What is half written in one outlives what is sent in the other.
	await other.text.fill('half a thought');
	await ben.says('from one tab');
	await other.sees('from one tab');
	await other.until(() => Object.values(localStorage).includes('"half a thought"'));
	await other.page.reload();
	await other.sees('from one tab');
	assert.equal(await other.text.inputValue(), 'half a thought');
	await other.says('from the other');
	await ben.sees('from the other');
	for (const who of [ben, other]) assert.equal(await who.own.count(), 2, 'both are one\'s own');
	await anna.page.getByRole('button', { name: '2 of 2 here' }).waitFor();

	// Both know what waits, and both come back.
	world.line.become('cut');
	for (const who of [ben, other]) await who.barIs('waiting');
	await ben.types('typed in one tab');
	await other.types('and in the other');
	world.line.become('open');
	await other.page.reload();
	for (const who of [ben, other]) await who.isSent();
	const all = ['from one tab', 'from the other', 'typed in one tab', 'and in the other'].sort();
	for (const who of [anna, ben, other]) {
		await who.sees('typed in one tab');
		await who.sees('and in the other');
		assert.deepEqual((await who.messages()).sort(), all);
	}
});

promise('two tabs in which one joins at once are one person, whichever answer comes first', async (world) => {
	const anna = await world.teacher('Anna', 'Physics');
	const cleo = await world.teacher('Cleo', 'Chemistry');
	const ben = await world.person();
	const other = await world.tab(ben.page.context());
	const calls = [await ben.holds('/room/join'), await other.holds('/room/join')];
	const link = (teacher) => `${world.base}/#/room/${teacher.room()}`;
	// The same room: nobody is refused a name of one's own.
	for (const [i, who] of [ben, other].entries()) {
		await who.knock(link(anna), 'Ben');
		await calls[i].asked(1);
	}
	for (const [i, who] of [other, ben].entries()) {
		await calls[1 - i].answer(1);
		await who.says(`from tab ${i}`);
	}
	for (const who of [ben, other]) {
		await who.sees('from tab 1');
		assert.equal(await who.own.count(), 2);
		await who.page.reload();
		await who.sees('from tab 1');
		assert.equal(await who.own.count(), 2);
	}
	await anna.page.getByRole('button', { name: '2 of 2 here' }).waitFor();

	// Different rooms: nobody is put out of one, and nobody is left behind.
	const dora = await world.person();
	const beside = await world.tab(dora.page.context());
	const held = [await dora.holds('/room/join'), await beside.holds('/room/join')];
	for (const [i, who] of [dora, beside].entries()) {
		await who.knock(link([anna, cleo][i]), 'Dora');
		await held[i].asked(1);
	}
	await held[0].answer(1);
	await dora.says('in Physics');
	await held[1].answer(1);
	await held[1].answer(2);
	await beside.says('in Chemistry');
	await dora.says('still in Physics');
	for (const who of [dora, beside]) {
		await who.page.reload();
		await who.says('after a reload');
	}
	await anna.page.getByRole('button', { name: '3 of 3 here' }).waitFor();
	await cleo.page.getByRole('button', { name: '2 of 2 here' }).waitFor();
});

promise('a room that was made in one tab while one joined another in the next is still one\'s own', async (world) => {
	const cleo = await world.teacher('Cleo', 'Chemistry');
	const anna = await world.person();
	const other = await world.tab(anna.page.context());
	const create = await anna.holds('/room/create');
	await anna.page.goto(world.base + '/');
	await anna.page.locator('#room-name').fill('Physics');
	await anna.page.locator('#my-name').fill('Anna');
	await anna.press('Make a room');
	await create.asked(1);
	await other.join(`${world.base}/#/room/${cleo.room()}`, 'Anna');
	await create.answer(1);
	await anna.says('mine');
	await anna.choose('Room settings');
	await anna.page.getByRole('dialog', { name: 'Room settings' }).waitFor();
	await other.says('here, too');
	await cleo.sees('here, too');
});

promise('who leaves a room is gone from it, and the device has forgotten it', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await ben.says('good bye');
	await ben.choose('Leave the room');
	await ben.press('OK', ben.dialog);
	await ben.page.locator('#create').waitFor();
	await anna.sees('⁨Ben⁩ left');
	await anna.page.getByRole('button', { name: '1 of 1 here' }).waitFor();
	assert.deepEqual([await kept(ben, 'seen.'), await kept(ben, 'out.')], [[], []]);
	assert.deepEqual(await ben.page.evaluate(() => JSON.parse(localStorage['parlor.rooms'])), []);
	// Its name is remembered, and it may come back.
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await ben.says('back again');
	await anna.sees('back again');
});

promise('the only owner who leaves is told that the device keeps the key, and comes back as the owner', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna');
	await world.pupil(anna, 'Ben');
	const leaves = async () => {
		await anna.choose('Leave the room');
		await anna.page.getByRole('dialog', { name: 'Leave the room (this device stays its owner)?' }).waitFor();
		await anna.press('OK', anna.dialog);
		await anna.page.locator('#create').waitFor();
	};
	const owns = () => anna.page.evaluate(() => JSON.parse(localStorage['parlor.rooms'])[0].key);
	await leaves();
	await anna.page.locator('#rooms').getByRole('link', { name: 'Physics 7b' }).click();
	await anna.choose('Room settings');
	await anna.page.getByRole('dialog', { name: 'Room settings' }).waitFor();
	await anna.page.keyboard.press('Escape');

	// A key that another owner has made void is forgotten; the room is open as to anybody.
	assert.match(await owns(), /^[0-9a-f]{32}$/);
	await leaves();
	await anna.page.evaluate(() => {
		const [room, ...rest] = JSON.parse(localStorage['parlor.rooms']);
		localStorage['parlor.rooms'] = JSON.stringify([{ ...room, key: '0'.repeat(32) }, ...rest]);
	});
	await anna.page.locator('#rooms').getByRole('link', { name: 'Physics 7b' }).click();
	await anna.says('as anybody');
	assert.equal(await owns(), null);
});

promise('an owner\'s key stays on the device, however many other rooms one enters', async (world) => {
	const anna = await world.teacher('Anna');
	const room = anna.room();
	// Not in the room, which comes first again as soon as its members are told.
	await anna.page.goto(world.base + '/');
	await anna.page.evaluate(() => {
		const others = Array.from({ length: 20 }, (_, i) => ({ id: 1000 + i, name: `Room ${i}` }));
		localStorage['parlor.rooms'] = JSON.stringify([...others, ...JSON.parse(localStorage['parlor.rooms'])]);
	});
	await anna.make('Chemistry', 'Anna');
	const rooms = await anna.page.evaluate(() => JSON.parse(localStorage['parlor.rooms']));
	assert.match(rooms.find(({ id }) => id === room).key, /^[0-9a-f]{32}$/);
	// Of the others the last ones are.
	assert.equal(rooms.filter(({ key }) => !key).length, 11);
});

promise('who cannot leave because the server is away is told so and stays', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna');
	await anna.choose('Leave the room');
	await world.server.kill();
	await anna.press('OK', anna.dialog);
	await anna.page.getByText('The server does not answer.').waitFor();
	await anna.text.waitFor();
	assert.match(anna.page.url(), /room\/1$/);
	// A room that this device does not know is named by its number.
	await anna.page.evaluate(() => { location.hash = '#/room/77'; });
	await anna.until(() => document.title === 'Room 77 · parlor');
});

promise('a page that nobody looks at makes a sound for others\' messages, once in a while, unless it is turned off', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.person();
	await ben.page.addInitScript(() => {
		window.heard = 0;
		const node = () => ({ gain: {}, connect: (next) => next, start() { window.heard++; }, stop() {} });
		window.AudioContext = class { currentTime = 0; createOscillator() { return node(); } createGain() { return node(); } };
	});
	// By keyboard alone.
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.keyboard.press('Enter');
	await ben.text.waitFor();
	await anna.says('in view');
	await ben.sees('in view');
	const heard = () => ben.page.evaluate(() => window.heard);
	assert.equal(await heard(), 0, 'who looks needs no sound');
	await lookAway(ben);
	await anna.says('one');
	await anna.says('two');
	await ben.until(() => document.title.startsWith('(2) '));
	assert.equal(await heard(), 1, 'not one for each');
	await ben.page.evaluate(() => { delete document.hasFocus; });
	await ben.choose('Sound ✓');
	await ben.page.clock.install();
	await ben.page.clock.fastForward(10_000);
	await lookAway(ben);
	await anna.says('three');
	await ben.sees('three');
	assert.equal(await heard(), 1, 'turned off');
});
