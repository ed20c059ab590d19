// The teacher's powers, each used from the page, each seen by a pupil, none in a pupil's hands.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { NO_LIMITS, PHONE, eventually, promise } from './support.js';

/** Chromium reports an answer of 403 itself. */
const REFUSED = /status of 403 .*\/room\/join/;

const classroom = async (world, ...names) => {
	const teacher = await world.teacher();
	const pupils = await Promise.all(names.map((name) => world.pupil(teacher, name, PHONE)));
	// What an owner or a pupil commands is asked once, and needs a connection.
	for (const who of [teacher, ...pupils]) await who.barIs('online');
	return [teacher, ...pupils];
};

/** What the teacher does with a member, through its dialogs. */
async function toMember(teacher, name, act, grave) {
	await teacher.page.locator('.title').click();
	await teacher.press(`${name}: More`, teacher.dialog);
	await teacher.press(act, teacher.dialog);
	if (grave) await teacher.press('OK', teacher.dialog);
	await teacher.page.keyboard.press('Escape');
	await teacher.page.getByRole('dialog').waitFor({ state: 'detached' });
}

async function settings(teacher) {
	await teacher.choose('Room settings');
	await teacher.page.getByRole('dialog', { name: 'Room settings' }).waitFor();
	return teacher.dialog;
}

/** The page shows it, too: the next press is meant for what one sees. */
async function hand(who, up) {
	await who.press('Raise hand');
	await who.page.locator(`[data-act=hand][aria-pressed=${up}]`).waitFor();
}

const escape = (who) => who.page.keyboard.press('Escape');
/** Why one may not write is said beside the field; the field itself stays, with the focus and what is in it. */
const canWrite = (who, is) => who.until((is) => document.querySelector('#text').readOnly === !is && is === !document.querySelector('#why').textContent, is);

promise('the teacher renames, sets and removes a password, locks, and asks for quiet; everyone is told', async (world) => {
	world.expect(REFUSED);
	const [teacher, ben] = await classroom(world, 'Ben');
	const link = `${world.base}/#/room/${teacher.room()}`;
	const box = await settings(teacher);
	await box.getByLabel('Name of the room').fill('Chemistry');
	await box.getByLabel('Name of the room').press('Enter');
	await ben.sees('named the room');
	await ben.page.getByRole('heading', { name: 'Chemistry' }).waitFor();
	// What a door is told of it is up to a second old.
	await eventually('it is listed by its new name', async () => (await (await fetch(world.base + '/where')).json()).rooms[0]?.name === 'Chemistry');

	await box.getByRole('switch', { name: /^Quiet/ }).check();
	await ben.sees('quiet, only owners write');
	await canWrite(ben, false);
	await ben.page.getByRole('status').getByText('Quiet: only owners write').waitFor();
	await canWrite(teacher, true);
	await box.getByRole('switch', { name: /^Quiet/ }).uncheck();
	await canWrite(ben, true);

	await box.getByRole('switch', { name: /^Locked/ }).check();
	await ben.sees('locked the room');
	const dora = await world.person();
	await dora.knock(link, 'Dora');
	await dora.page.getByRole('alert').getByText(/locked/).waitFor();
	await dora.until(() => document.activeElement.id === 'name');
	await ben.page.reload();
	await ben.says('who is in comes back');
	await box.getByRole('switch', { name: /^Locked/ }).uncheck();

	await box.getByLabel(/^New password/).fill('open sesame');
	await box.getByLabel(/^New password/).press('Enter');
	await ben.sees('set a password');
	await dora.knock(link, 'Dora');
	await dora.page.getByLabel('Password').fill('wrong');
	await dora.press('Join ⁨Chemistry⁩', dora.page.locator('#join'));
	await dora.page.getByRole('alert').getByText(/password/).waitFor();
	await dora.until(() => document.activeElement.id === 'password');
	// The name is not asked twice.
	assert.equal(await dora.page.getByLabel('Your name').inputValue(), 'Dora');
	await dora.page.getByLabel('Password').fill('open sesame');
	await dora.press('Join ⁨Chemistry⁩', dora.page.locator('#join'));
	await dora.text.waitFor();
	// An empty field is nobody's wish: only the button removes the password.
	const field = box.getByLabel(/^New password/);
	await field.fill('');
	await field.press('Enter');
	await box.getByRole('switch', { name: /^Quiet/ }).check();
	await ben.sees('quiet, only owners write');
	assert.equal(await ben.log.getByText('removed the password').count(), 0);
	await teacher.press('Remove the password', box);
	await ben.sees('removed the password');
	await box.getByRole('button', { name: 'Remove the password' }).waitFor({ state: 'detached' });
	await box.getByRole('switch', { name: /^Quiet/ }).uncheck();
	await canWrite(ben, true);
	const emil = await world.pupil(teacher, 'Emil');
	await emil.says('in without one');
});

promise('the teacher mutes for a time, deletes any message, and all of one person', async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	await ben.says('a bad word');
	await ben.says('more spam');
	await cleo.says('a good one');
	await teacher.sees('more spam');
	const row = teacher.rows.filter({ hasText: 'a bad word' });
	await row.hover();
	await teacher.press(/: More$/, row);
	await teacher.press('Delete', teacher.dialog);
	await teacher.press('OK', teacher.dialog);
	await cleo.until(() => !document.querySelector('#messages').textContent.includes('a bad word'));
	for (const who of [teacher, cleo]) await who.sees('⁨Ms Okafor⁩ deleted 1');
	await cleo.page.reload();
	await cleo.sees('⁨Ms Okafor⁩ deleted 1');

	await teacher.page.locator('.title').click();
	await teacher.press('Ben: More', teacher.dialog);
	await teacher.press('Mute', teacher.dialog);
	// For no time is for nothing: one is told, and may correct it.
	await teacher.dialog.getByLabel('Minutes').fill('0');
	await teacher.dialog.getByLabel('Minutes').press('Enter');
	assert.equal(await teacher.dialog.getByLabel('Minutes').evaluate((el) => el.validity.valid), false);
	await teacher.dialog.getByLabel('Minutes').fill('2880');
	await teacher.dialog.getByLabel('Minutes').press('Enter');
	await teacher.page.keyboard.press('Escape');
	await teacher.page.getByRole('dialog').waitFor({ state: 'detached' });
	await cleo.sees(/Ben.? is muted until/);
	await canWrite(ben, false);
	await ben.page.getByRole('status').getByText(/^You are muted until \d+ \S+ \d{4}, \d\d:\d\d$/).waitFor();
	await canWrite(cleo, true);
	await toMember(teacher, 'Ben', 'Let write again');
	await canWrite(ben, true);

	await toMember(teacher, 'Ben', 'Delete all messages', true);
	for (const who of [teacher, ben, cleo]) {
		await who.sees(/deleted all messages of ⁨Ben/);
		await who.until(() => !document.querySelector('#messages').textContent.includes('more spam'));
		assert.deepEqual(await who.messages(), ['a good one']);
	}
	await ben.says('sorry');
});

promise('a mute that ends tomorrow says so, however soon that is', async (world) => {
	const teacher = await world.teacher();
	// Where it is six in the evening now.
	const east = (18 - new Date().getUTCHours() + 36) % 24 - 12;
	const ben = await world.pupil(teacher, 'Ben', { ...PHONE, timezoneId: `Etc/GMT${east > 0 ? '-' : '+'}${Math.abs(east)}` });
	const { token } = await teacher.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	const { id: user } = await ben.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	const until = ben.page.getByRole('status');
	for (const [minutes, said] of [[60, /^You are muted until \d\d:\d\d$/], [600, /^You are muted until \d+ \S+ \d{4}, \d\d:\d\d$/]]) {
		await world.api(`/rooms/${teacher.room()}/owner`, { act: 'mute', user, minutes }, token);
		await until.getByText(said).waitFor();
	}
});

promise('a mute is judged by the server, however wrong the clock of the phone is', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	for (const hours of [-48, 96]) {
		await ben.page.evaluate((ms) => { const { now } = Date; Date.now = () => now() + ms; }, hours * 3600_000);
		const { id: user } = await ben.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
		const { token } = await teacher.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
		const mute = (minutes) => world.api(`/rooms/${teacher.room()}/owner`, { act: 'mute', user, minutes }, token);
		await mute(7);
		await ben.sees(/Ben.? is muted until/);
		await canWrite(ben, false);
		await mute(0);
		await canWrite(ben, true);
	}
	// What the page missed: it asks, for the end of a mute is told to nobody.
	await ben.page.evaluate(async () => {
		const { room } = await import('/page/sync.js');
		room(Number(location.hash.match(/\d+/)[0])).me.muted = '2999-01-01T00:00:00Z';
	});
	await canWrite(ben, false);
	await canWrite(ben, true);
	await ben.says('at last');
});

promise('the teacher takes somebody out, keeps out, and lets in again', async (world) => {
	world.expect(REFUSED);
	const [teacher, ben] = await classroom(world, 'Ben');
	const link = `${world.base}/#/room/${teacher.room()}`;
	await toMember(teacher, 'Ben', 'Take out', true);
	await ben.page.getByText('You were taken out of this room.').waitFor();
	assert.equal(await ben.page.getByText('Physics 7b begins here').count(), 0);
	// A reload takes nobody back without a word.
	await ben.page.reload();
	await ben.page.getByText('You were taken out of this room.').waitFor();
	await ben.until(() => document.activeElement !== document.body);
	// Taken out is not kept out.
	await ben.join(link, 'Ben');
	await ben.says('back again');
	await teacher.sees('back again');
	await toMember(teacher, 'Ben', 'Take out and keep out', true);
	await ben.page.getByText('You were taken out of this room.').waitFor();
	await ben.knock(link, 'Ben');
	await ben.page.getByRole('alert').getByText('An owner keeps you out of this room.').waitFor();
	assert.equal(await ben.text.count(), 0);
	const box = await settings(teacher);
	await teacher.press('Let ⁨Ben⁩ in again', box);
	await teacher.sees(/lets ⁨Ben⁩ in again/);
	await ben.join(link, 'Ben');
	await ben.says('thank you');
});

promise('who was kept out while away is told so at the door, and finds no empty room', async (world) => {
	world.expect(REFUSED);
	const [teacher, ben] = await classroom(world, 'Ben');
	await ben.page.goto('about:blank');
	await toMember(teacher, 'Ben', 'Take out and keep out', true);
	await ben.page.goto(`${world.base}/#/room/${teacher.room()}`);
	await ben.page.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
	assert.equal(await ben.text.count(), 0);
});

promise('what one person wrote and could not send is sent for nobody else on that device', async (world) => {
	world.expect(REFUSED);
	const [teacher, ben] = await classroom(world, 'Ben');
	await ben.page.evaluate((room) => {
		const uuid = '67e55044-10b1-426f-9247-bb680e5fe0c8';
		localStorage['parlor.out.' + uuid] = JSON.stringify({ uuid, text: 'secret words', sent: Date.now(), room, by: 'somebody' });
	}, teacher.room());
	await ben.page.reload();
	await ben.types('my own');
	await teacher.sees('my own');
	assert.equal(await teacher.log.getByText('secret words').count(), 0);
});

promise('another owner is named and dismissed, and the owner link makes one until it is made anew', async (world) => {
	world.expect(REFUSED);
	const [teacher, ben] = await classroom(world, 'Ben');
	const owns = async (who) => {
		await who.press('More', who.page.locator('header'));
		const is = await who.dialog.getByRole('button', { name: 'Room settings' }).count() === 1;
		await escape(who);
		return is;
	};
	assert.equal(await owns(ben), false);
	await toMember(teacher, 'Ben', 'Make an owner', true);
	await eventually('Ben is an owner', () => owns(ben));
	await toMember(teacher, 'Ben', 'No longer an owner', true);
	await eventually('Ben is none', async () => !await owns(ben));

	const box = await settings(teacher);
	const field = box.getByLabel(/^Owner link/);
	// The wall may show what the teacher sees: the link gives the room away, and is shown when asked for.
	await teacher.page.getByText(/^Owner link/).waitFor();
	assert.equal(await box.locator('input[readonly], img').count(), 0);
	await teacher.press('Show the owner link', box);
	await box.getByRole('img', { name: /^QR .*owner=/ }).waitFor();
	const old = await field.inputValue();
	assert.match(old, /\/#\/room\/\d+\?owner=[0-9a-f]{32}$/);
	await teacher.press('New owner link; the old one is void', box);
	await teacher.press('OK', teacher.dialog);
	const anew = await eventually('another link', async () => (await field.inputValue()) !== old && field.inputValue());
	const here = (link) => world.base + '/' + link.slice(link.indexOf('#'));
	const deputy = await world.person();
	await deputy.join(here(anew), 'Deputy');
	assert.equal(deputy.page.url(), `${world.base}/#/room/${teacher.room()}`, 'the key does not stay in the address');
	await eventually('the deputy is an owner', () => owns(deputy));
	const thief = await world.person();
	await thief.knock(here(old), 'Thief');
	// It opens nothing more than the room's number does.
	await thief.page.getByRole('status').getByText('This owner link is void.').waitFor();
	await thief.text.waitFor();
	assert.equal(await owns(thief), false);
	const { token } = await teacher.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	await world.api(`/rooms/${teacher.room()}/owner`, { act: 'password', password: 'open sesame' }, token);
	const other = await world.person();
	await other.knock(here(old), 'Other');
	await other.page.getByLabel('Password').fill('open sesame');
	await other.page.getByLabel('Password').press('Enter');
	await other.says('in with the password');
});

promise('what owners see follows what another owner does, and a link that was made void is shown no more', async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	await toMember(teacher, 'Ben', 'Make an owner', true);
	await ben.sees('is now an owner');
	const box = await settings(teacher);
	const link = box.getByLabel(/^Owner link/);
	await teacher.press('Show the owner link', box);
	assert.match(await link.inputValue(), /owner=/);
	await box.getByLabel(/^New password/).fill('half a pass');
	const his = await settings(ben);
	await his.getByRole('switch', { name: /^Locked/ }).check();
	await his.getByLabel('Name of the room').fill('Chemistry');
	await his.getByLabel('Name of the room').press('Enter');
	await ben.press('New owner link; the old one is void', his);
	await ben.press('OK', ben.dialog);
	await link.waitFor({ state: 'detached' });
	await eventually('it is locked', () => box.getByRole('switch', { name: /^Locked/ }).isChecked());
	assert.equal(await box.getByLabel('Name of the room').inputValue(), 'Chemistry');
	assert.equal(await box.getByLabel(/^New password/).inputValue(), 'half a pass', 'what is being typed stays');
	await ben.press('Show the owner link', his);
	assert.match(await his.getByLabel(/^Owner link/).inputValue(), /owner=/);
	await escape(ben);
	await toMember(ben, 'Cleo', 'Take out and keep out', true);
	await box.getByRole('button', { name: 'Let ⁨Cleo⁩ in again' }).waitFor();
	await cleo.page.getByText('You were taken out of this room.').waitFor();
	await escape(teacher);
	await settings(teacher);
	assert.equal(await teacher.dialog.getByRole('button', { name: 'Show the owner link' }).count() + await link.count(), 0);

	// Who is no owner any more has no settings, either.
	await escape(teacher);
	await settings(ben);
	await toMember(teacher, 'Ben', 'No longer an owner', true);
	await ben.page.getByRole('dialog').waitFor({ state: 'detached' });
});

promise('who is taken out is told so, however late the page draws it', async (world) => {
	const teacher = await world.teacher();
	const ben = await world.person();
	await ben.make('Another room, so that the line stays', 'Ben');
	await ben.page.goto(`${world.base}/#/room/${teacher.room()}`);
	await teacher.sees('Ben');
	await ben.barIs('online');
	// What the open room asks for meanwhile is refused, and that is no news.
	await ben.page.evaluate(() => {
		const later = setTimeout;
		window.setTimeout = (act, ms, ...rest) => later(act, ms === 16 ? 1500 : ms, ...rest);
	});
	await toMember(teacher, 'Ben', 'Take out and keep out', true);
	await ben.page.getByText('You were taken out of this room.').waitFor();
	assert.equal(await ben.page.getByText(/keeps you out/).count(), 0);
});

promise('an owner hears that the link was made anew, and asks for it no sooner', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await toMember(teacher, 'Ben', 'Make an owner', true);
	await teacher.page.evaluate(() => {
		const { send } = WebSocket.prototype;
		window.tried = 0;
		WebSocket.prototype.send = function (frame) {
			window.tried += JSON.parse(frame).type === 'join';
			return send.call(this, frame);
		};
	});
	await teacher.page.clock.install();
	const box = await settings(teacher);
	await teacher.press('Show the owner link', box);
	await teacher.page.clock.fastForward(12_000);
	await ben.says('for a while');
	await teacher.sees('for a while');
	assert.equal(await teacher.page.evaluate(() => window.tried), 1, 'tried once, when the dialog was opened');
	await settings(ben);
	await ben.press('New owner link; the old one is void', ben.dialog);
	await ben.press('OK', ben.dialog);
	await teacher.page.clock.runFor(1000);
	await teacher.sees('⁨Ben⁩ made the owner link anew');
	await box.getByLabel(/^Owner link/).waitFor({ state: 'detached' });
});

promise('the list of who is there follows while it is open, and the focus stays in it', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await teacher.page.locator('.title').click();
	const more = teacher.dialog.getByRole('button', { name: 'Ben: More' });
	await more.focus();
	await world.pupil(teacher, 'Cleo', PHONE);
	await teacher.dialog.getByText('Cleo').waitFor();
	assert.equal(await teacher.page.evaluate(() => Boolean(document.activeElement.closest('[role=dialog] button'))), true);
	await more.click();
	await teacher.press('Mute', teacher.dialog);
	await teacher.press('OK', teacher.dialog);
	await teacher.dialog.getByText('here · muted').waitFor();
	await ben.choose('Leave the room');
	await ben.press('OK', ben.dialog);
	await teacher.dialog.getByText('Ben').waitFor({ state: 'detached' });
});

promise('quiet and mute take neither the focus nor what was typed, and say why', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await ben.text.pressSequentially('half a sen');
	const box = await settings(teacher);
	await box.getByRole('switch', { name: /^Quiet/ }).check();
	await canWrite(ben, false);
	const field = () => ben.page.evaluate(() => {
		const { activeElement: el } = document;
		return [el.id, el.value, el.getAttribute('aria-disabled'), document.getElementById(el.getAttribute('aria-describedby')).textContent];
	});
	assert.deepEqual(await field(), ['text', 'half a sen', 'true', 'Quiet: only owners write']);
	await ben.isAccessible('a quiet room');
	await ben.page.locator('.send').click();
	await ben.text.press('Enter');
	await box.getByRole('switch', { name: /^Quiet/ }).uncheck();
	await canWrite(ben, true);
	await ben.text.focus();
	assert.deepEqual(await field(), ['text', 'half a sen', 'false', '']);
	assert.equal(await teacher.rows.count(), 0, 'nothing was sent meanwhile');
	await ben.text.pressSequentially('tence');
	await ben.page.locator('.send').click();
	await teacher.sees('half a sentence');
});

promise('hands go up in an order, and the teacher lowers them', async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	await hand(ben, true);
	await teacher.page.getByRole('button', { name: '✋ 1. Ben' }).waitFor();
	await hand(cleo, true);
	await teacher.page.getByRole('button', { name: '✋ 2. Cleo' }).waitFor();
	// They stand in line with the messages, however wide the screen is.
	const left = (selector) => teacher.page.locator(selector).first().evaluate((el) => el.getBoundingClientRect().left);
	assert.equal(await left('.chip'), await left('form.line'));
	// A pupil sees the order and lowers nobody's but its own.
	await ben.page.getByRole('button', { name: '✋ 2. Cleo' }).waitFor();
	assert.equal(await ben.page.getByRole('button', { name: '✋ 2. Cleo' }).isDisabled(), true);
	await teacher.page.getByRole('button', { name: '✋ 1. Ben' }).click();
	await teacher.page.getByRole('button', { name: '✋ 1. Cleo' }).waitFor();
	await ben.page.locator('[data-act=hand][aria-pressed=false]').waitFor();
	await hand(ben, true);
	await teacher.press('Lower the hand 1–2');
	for (const who of [teacher, ben, cleo]) await who.until(() => !document.querySelector('.hands').textContent);
	await hand(cleo, true);
	await teacher.page.getByRole('button', { name: '✋ 1. Cleo' }).waitFor();
	await hand(cleo, false);
	await teacher.until(() => !document.querySelector('.hands').textContent);
});

promise('messages and attendance are downloaded in four formats', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await ben.says('for the record: 你好');
	await teacher.sees('for the record');
	const { token } = await ben.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	const box = await settings(teacher);
	for (const format of ['html', 'txt', 'csv', 'json']) {
		const [download] = await Promise.all([teacher.page.waitForEvent('download'), teacher.press(format, box)]);
		assert.equal(download.suggestedFilename(), `Physics 7b.${format}`);
		const text = await readFile(await download.path(), 'utf8');
		assert.ok(text.includes('for the record: 你好'), format);
		if (format === 'json') JSON.parse(text);
	}
	world.expect(/WebSocket connection to .* failed/, /net::ERR_/, /status of 403 .*\/export/);
	// What is refused is said, not its number.
	await teacher.page.route('**/export?*', (route) => route.continue({ headers: { ...route.request().headers(), authorization: `Bearer ${token}` } }));
	await teacher.press('html', box);
	await teacher.page.getByRole('status').getByText(/owner/).waitFor();
	await teacher.page.unroute('**/export?*');
	await world.server.kill();
	await teacher.press('html', box);
	await teacher.page.getByRole('status').getByText('The server does not answer.').waitFor();
});

promise('a closed room is over for everyone, and says so', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await ben.says('hello');
	const box = await settings(teacher);
	await teacher.press('Close the room for good', box);
	await teacher.press('OK', teacher.dialog);
	for (const who of [teacher, ben]) await who.page.getByText('This room was closed.').waitFor();
	assert.equal(await ben.text.count(), 0);
});

promise('a pupil has none of it: not in the page, and not from the server', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	await teacher.says('the teacher\'s own');
	await ben.sees('the teacher\'s own');
	await ben.press('More', ben.page.locator('header'));
	assert.deepEqual(await ben.dialog.locator('[data-act]').evaluateAll((all) => all.map((el) => el.dataset.act)), ['close', 'search', 'board', 'sound', 'language', 'leave']);
	await escape(ben);
	await ben.page.locator('.title').click();
	assert.equal(await ben.dialog.locator('li').count(), 2);
	assert.equal(await ben.dialog.getByRole('button').count(), 1, 'close, and nothing else');
	await escape(ben);
	const room = teacher.room();
	const [me, other] = await Promise.all([ben, teacher].map((who) => who.page.evaluate(() => JSON.parse(localStorage['parlor.me']))));
	const headers = { Authorization: 'Bearer ' + me.token };
	const acts = [['rename', { name: 'Mine' }], ['password', { password: 'mine' }], ['lock', { on: true }], ['quiet', { on: true }], ['mute', { user: other.id, minutes: 5 }],
		['kick', { user: other.id }], ['allow', { user: other.id }], ['wipe', { user: other.id }], ['appoint', { user: me.id, on: true }], ['link', {}], ['lower', {}], ['close', {}], ['state', {}]];
	for (const [act, fields] of acts) {
		const answer = await fetch(`${world.base}/rooms/${room}/owner`, { method: 'POST', headers, body: JSON.stringify({ act, ...fields }) });
		assert.equal(answer.status, 403, act);
	}
	assert.equal((await fetch(`${world.base}/rooms/${room}/export?format=json`, { headers })).status, 403);
	await ben.says('still the same room');
	await teacher.sees('still the same room');
	assert.deepEqual(await teacher.messages(), ['the teacher\'s own', 'still the same room']);
	assert.equal(await teacher.page.getByRole('heading', { name: 'Physics 7b' }).count(), 1);
});

promise('blanks around a password let in and shut out nobody', async (world) => {
	world.expect(REFUSED);
	const teacher = await world.teacher();
	const box = await settings(teacher);
	await box.getByLabel('New password').fill('sesame ');
	await box.getByLabel('New password').press('Enter');
	await teacher.sees('set a password');
	await eventually('it does not stay on the screen', async () => await box.getByLabel('New password').inputValue() === '');
	for (const [i, password] of ['sesame', ' sesame '].entries()) {
		const ben = await world.person();
		await ben.knock(`${world.base}/#/room/${teacher.room()}`, `Ben ${i}`);
		await ben.page.getByLabel('Password').fill(password);
		await ben.page.getByLabel('Password').press('Enter');
		await ben.text.waitFor();
	}
});

promise('what changes under the keyboard or the finger never puts another in its place', async (world) => {
	const [teacher, anna, bela, cleo] = await classroom(world, 'Anna', 'Bela', 'Cleo');
	const focused = () => teacher.page.evaluate(() => document.activeElement.textContent + (document.activeElement.ariaLabel || ''));
	const chip = (n, name) => teacher.page.getByRole('button', { name: `✋ ${n}. ${name}` });
	for (const [i, who] of [anna, bela, cleo].entries()) {
		await hand(who, true);
		await chip(i + 1, ['Anna', 'Bela', 'Cleo'][i]).waitFor();
	}
	// Who has the focus keeps it; who is gone leaves it to nobody.
	await chip(2, 'Bela').focus();
	await hand(anna, false);
	await chip(1, 'Bela').waitFor();
	assert.match(await focused(), /Bela/);
	await hand(bela, false);
	await chip(1, 'Cleo').waitFor();
	await teacher.page.keyboard.press('Enter');
	// Who taps twice means one.
	await hand(anna, true);
	await chip(2, 'Anna').waitFor();
	await chip(1, 'Cleo').dblclick();
	await chip(1, 'Anna').waitFor();
	await hand(bela, true);
	await chip(2, 'Bela').waitFor();

	// In a dialog the focus stays in the dialog, and what is behind it hears no key.
	await teacher.page.locator('.title').click();
	await teacher.dialog.getByRole('button', { name: 'Cleo: More' }).focus();
	await bela.choose('Leave the room');
	await bela.press('OK', bela.dialog);
	await teacher.dialog.getByText('Bela').waitFor({ state: 'detached' });
	assert.match(await focused(), /Cleo/);
	await cleo.choose('Leave the room');
	await cleo.press('OK', cleo.dialog);
	await teacher.dialog.getByText('Cleo').waitFor({ state: 'detached' });
	await teacher.page.keyboard.type('hello class');
	await teacher.page.keyboard.press('Enter');
	assert.equal(await teacher.page.evaluate(() => Boolean(document.activeElement.closest('[role=dialog]'))), true);
	assert.equal(await teacher.text.inputValue(), '');
	assert.equal(await teacher.own.count(), 0);
});

promise('who is dismissed is no owner again by what is still open or remembered', async (world) => {
	const [teacher, ben] = await classroom(world, 'Ben');
	const box = await settings(teacher);
	await teacher.press('Show the owner link', box);
	const link = await box.getByLabel(/^Owner link/).inputValue();
	await escape(teacher);
	const deputy = await world.person(PHONE);
	await deputy.join(world.base + '/' + link.slice(link.indexOf('#')), 'Deputy');
	await ben.sees('⁨Deputy⁩ is now an owner');
	await deputy.press('More', deputy.page.locator('header'));
	await toMember(teacher, 'Deputy', 'No longer an owner', true);
	await deputy.sees('⁨Deputy⁩ is no longer an owner');
	await deputy.press('Room settings', deputy.dialog);
	await deputy.page.getByRole('status').getByText('Only an owner').waitFor();
	await deputy.choose('Leave the room');
	await deputy.page.getByRole('button', { name: 'Leave the room?', exact: true }).or(deputy.page.getByRole('heading', { name: 'Leave the room?', exact: true })).waitFor();
	await deputy.press('OK', deputy.dialog);
	await deputy.page.locator('#create').waitFor();
	await deputy.page.goto(`${world.base}/#/room/${teacher.room()}`);
	await deputy.says('a pupil');
	await teacher.sees('a pupil');
	assert.equal(await ben.log.getByText('is now an owner').count(), 1);
});

promise('who is made an owner is muted no more, for nobody', async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	await teacher.page.locator('.title').click();
	await teacher.press('Cleo: More', teacher.dialog);
	await teacher.press('Mute', teacher.dialog);
	await teacher.press('OK', teacher.dialog);
	await escape(teacher);
	await canWrite(cleo, false);
	await toMember(teacher, 'Cleo', 'Make an owner', true);
	await canWrite(cleo, true);
	await ben.page.locator('.title').click();
	await ben.dialog.getByText('owner · here').nth(1).waitFor();
	assert.equal(await ben.dialog.getByText('muted').count(), 0);
});

promise('what somebody said who was taken out is deleted from any of it', async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	await ben.says('spam one');
	await ben.says('spam two');
	await cleo.says('a good one');
	await toMember(teacher, 'Ben', 'Take out', true);
	await ben.page.getByText('You were taken out').waitFor();
	const row = teacher.rows.filter({ hasText: 'spam one' });
	await row.hover();
	await teacher.press(/: More$/, row);
	await teacher.press('Delete all messages', teacher.dialog);
	await teacher.press('OK', teacher.dialog);
	await cleo.sees(/deleted all messages of ⁨Ben/);
	assert.deepEqual(await cleo.messages(), ['a good one']);
});

promise('who reads what is old stays there when messages above or at the top are deleted', NO_LIMITS, async (world) => {
	const [teacher, ben, cleo] = await classroom(world, 'Ben', 'Cleo');
	const room = teacher.room();
	const crowd = await world.crowd(teacher, 120, (i) => `spam ${i} ` + 'lorem ipsum '.repeat((i * 7) % 20));
	for (let i = 0; i < 3; i++) {
		await ben.says(`good ${i}`);
		await cleo.says(`fine ${i}`);
	}
	const spam = await world.crowd(teacher, 60, (i) => `more ${i}`, 'Spam');
	await world.crowd(teacher, 30, (i) => `rest ${i}`, 'Rest');
	await teacher.sees('rest 29');
	// The topmost in view is one of those that go.
	const top = (text) => teacher.page.evaluate((text) => {
		const list = document.querySelector('#messages');
		const row = [...list.querySelectorAll('.row')].find((el) => el.textContent.includes(text));
		return row && row.getBoundingClientRect().bottom - list.getBoundingClientRect().top;
	}, text);
	await eventually('the good ones are in view', async () => {
		await teacher.page.evaluate(() => { document.querySelector('#messages').scrollTop -= 300; });
		const y = await top('good 2');
		return y > 250 && y < 600;
	});
	await teacher.isDrawn();
	const before = await top('good 2');
	const { token } = await teacher.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	for (const { user } of [crowd, spam]) await world.api(`/rooms/${room}/owner`, { act: 'wipe', user: user.id }, token);
	await teacher.until(() => !document.querySelector('#messages').textContent.includes('spam'));
	assert.ok(Math.abs(await top('good 2') - before) < 2, `${before} became ${await top('good 2')}`);
});

promise('an export that breaks off says so', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	world.expect(/net::ERR_/, /WebSocket connection/);
	const teacher = await world.teacher('Ms Okafor', 'Physics 7b', { base: world.lineBase });
	await world.crowd(teacher, 300, () => 'lorem ipsum '.repeat(300));
	const box = await settings(teacher);
	world.line.pace = 100_000;
	await Promise.all([teacher.page.waitForResponse(/export/), teacher.press('json', box)]);
	await world.server.kill();
	world.line.become('cut');
	await teacher.page.getByRole('status').getByText('The server does not answer.').waitFor();
});
