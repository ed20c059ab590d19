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
	await ben.says('hello');
	await ben.sees('hello');
	assert.deepEqual(await ben.messages(), ['hello']);
	assert.deepEqual(await kept(ben, 'out.'), [], 'words of somebody who is no more');

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
	await anna.page.locator('#make').waitFor();
	assert.equal(await anna.page.getByText('Physics 7b').count(), 0);
});

promise('two tabs of one browser are one person: each shows all, and nothing is sent twice', async (world) => {
	world.expect(...NOISE);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	const other = await world.tab(ben.page.context());
	const link = `${world.lineBase}/#/room/${anna.room()}`;
	await other.page.goto(link);
	await ben.says('from one tab');
	await other.sees('from one tab');
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

promise('who leaves a room is gone from it, and the device has forgotten it', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await ben.says('good bye');
	await ben.choose('Leave the room');
	await ben.press('OK', ben.dialog);
	await ben.page.locator('#make').waitFor();
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
		await anna.page.locator('#make').waitFor();
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
	await ben.join(`${world.base}/#/room/${anna.room()}`, 'Ben');
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
