// The truth about delivery: sent is stored, offline is said, and whatever happens to the line or the server,
// nothing is missing and nothing is there twice.

import assert from 'node:assert/strict';
import { NO_LIMITS, PHONE, eventually, promise } from './support.js';

/** What Chromium says of a server that is not there. */
const UNREACHABLE = [/WebSocket connection to .* failed/, /net::ERR_(CONNECTION_|EMPTY_RESPONSE|INTERNET_DISCONNECTED|NETWORK_|SOCKET_)/];

const texts = async (world, anna) => {
	const { token } = await anna.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	const answer = await fetch(`${world.base}/rooms/${anna.room()}/messages?limit=200`, { headers: { Authorization: 'Bearer ' + token } });
	return (await answer.json()).data.filter((e) => e.data).map((e) => e.data.data.text);
};

promise('a server that is killed in the middle of a conversation costs no message and repeats none', NO_LIMITS, async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	const said = [];
	for (let i = 1; i <= 40; i++) {
		await [anna, ben][i % 2].types(said[said.push(`text ${i}.`) - 1]);
		if (i === 20) await world.server.kill();
		if (i === 30) await world.server.start();
	}
	await anna.isSent();
	await ben.isSent();
	await Promise.all([anna, ben].map((who) => who.barIs('online')));
	const stored = await texts(world, anna);
	assert.deepEqual([...stored].sort(), [...said].sort());
	// Each one's own in the order in which they were written.
	for (const odd of [0, 1]) assert.deepEqual(stored.filter((text) => text.match(/\d+/)[0] % 2 === odd), said.filter((_, i) => (i + 1) % 2 === odd));
	for (const who of [anna, ben]) {
		await who.sees(stored.at(-1));
		const seen = await eventually('the newest are there', async () => {
			const now = await who.messages();
			return now.at(-1) === stored.at(-1) && now;
		});
		// In the document is what is near the view: it is the order's end, without a gap.
		assert.deepEqual(seen, stored.slice(-seen.length));
		assert.ok(seen.length > 10);
	}
});

promise('what is typed offline is sent once, after a reload too, and the bar says how it stands', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('online');
	await anna.isPatient();
	world.line.become('cut');
	await anna.barIs('waiting');
	await anna.page.getByText('Offline: trying again').waitFor();
	await anna.bar.getByText(/in \d+ s/).waitFor();
	await anna.types('typed offline');
	await anna.types('and this');
	await anna.own.getByRole('img', { name: 'sending' }).nth(1).waitFor();
	await ben.says('meanwhile');
	world.line.become('open');
	await anna.press('Retry', anna.bar);
	await anna.isSent();
	await anna.barIs('online');
	await anna.page.getByText('Caught up').waitFor();
	const all = ['online', 'meanwhile', 'typed offline', 'and this'];
	await ben.sees('and this');
	for (const who of [anna, ben]) assert.deepEqual(await who.messages(), all);

	// Once more, with a reload before the line is back: the page is there, for it is the server that is away.
	world.line.become('cut');
	await anna.barIs('waiting');
	await anna.types('before the reload');
	world.line.become('open');
	await anna.page.reload();
	await anna.isSent();
	await ben.sees('before the reload');
	await anna.sees('meanwhile');
	for (const who of [anna, ben]) assert.deepEqual(await who.messages(), [...all, 'before the reload']);
	assert.deepEqual(await texts(world, anna), [...all, 'before the reload']);
});

promise('a line that falls silent after a message has left it is noticed, and the message is there once', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	const ben = await world.pupil(anna, 'Ben');
	// The server gets the message, and its answer is lost: a phone that falls asleep.
	world.line.become('silent');
	await anna.types('did it arrive?');
	await ben.sees('did it arrive?');
	await anna.own.getByRole('img', { name: 'sending' }).waitFor();
	await anna.isPatient();
	await anna.isBack();
	await anna.barIs('waiting');
	await ben.says('it did');
	world.line.become('open');
	await anna.isBack();
	await anna.isSent();
	await anna.sees('it did');
	for (const who of [anna, ben]) assert.deepEqual(await who.messages(), ['did it arrive?', 'it did']);
	assert.deepEqual(await texts(world, anna), ['did it arrive?', 'it did']);
});

promise('the network\'s return is noticed at once', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	await anna.says('one');
	await anna.isPatient();
	await anna.page.context().setOffline(true);
	world.line.become('cut');
	await anna.barIs('waiting');
	await anna.bar.getByText(/in [56]\d s/).waitFor();
	world.line.become('open');
	await anna.page.context().setOffline(false);
	await anna.barIs('online');
});

promise('what is refused is said to have failed, and retried with the same uuid', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	// The first time it leaves as a kind of message that the server does not know.
	await ben.page.evaluate(() => {
		const { send } = WebSocket.prototype;
		window.uuids = [];
		WebSocket.prototype.send = function (frame) {
			const { type, uuid } = JSON.parse(frame);
			if (type === 'msg') window.uuids.push(uuid);
			return send.call(this, type === 'msg' && window.uuids.length === 1 ? frame.replace('"Text"', '"Unheard"') : frame);
		};
	});
	await ben.types('mangled on its way');
	const failed = ben.log.locator('[data-state=failed]');
	await failed.getByText('not sent').waitFor();
	await ben.page.reload();
	await failed.waitFor();
	const uuid = await failed.getAttribute('data-uuid');
	assert.equal(await anna.rows.count(), 0);
	await ben.press('Retry', failed);
	await ben.isSent();
	await anna.sees('mangled on its way');
	assert.equal(await anna.rows.getAttribute('data-uuid'), uuid);
	assert.equal(await ben.own.getAttribute('data-uuid'), uuid);
	assert.equal(await ben.own.count(), 1);
});

promise('several messages that were refused are retried together, in their order', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await ben.page.evaluate(() => {
		const { send } = WebSocket.prototype;
		let mangled = 0;
		WebSocket.prototype.send = function (frame) {
			const mangle = JSON.parse(frame).type === 'msg' && mangled++ < 3;
			return send.call(this, mangle ? frame.replace('"Text"', '"Unheard"') : frame);
		};
	});
	const said = ['one', 'two', 'three'];
	for (const text of said) await ben.types(text);
	const failed = ben.log.locator('[data-state=failed]');
	await failed.nth(2).waitFor();
	await ben.press('Retry', failed.last());
	await ben.isSent();
	await anna.sees('three');
	for (const who of [anna, ben]) assert.deepEqual(await who.messages(), said);
	assert.equal(await ben.log.getByRole('button', { name: /^Retry/ }).count(), 0);
});

promise('why a message was refused is said in the language of the page, also after that is switched', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	const [{ token }, { id: user }] = await Promise.all([anna, ben].map((who) => who.page.evaluate(() => JSON.parse(localStorage['parlor.me']))));
	const refused = async (text, fields) => {
		world.line.become('cut');
		await ben.barIs('waiting');
		await ben.types(text);
		await world.api(`/rooms/${anna.room()}/owner`, fields, token);
		world.line.become('open');
		await ben.isBack();
	};
	await refused('too loud', { act: 'quiet', on: true });
	await ben.log.getByText('not sent: Quiet: only owners write').waitFor();
	await ben.choose('中文');
	await ben.log.getByText('未发送: 安静：仅房主可发言').waitFor();
	await ben.page.reload();
	await ben.log.getByText('未发送: 安静：仅房主可发言').waitFor();
	await ben.page.locator('header [data-act=more]').click();
	await ben.press('English', ben.dialog);
	await ben.log.getByText('not sent: Quiet: only owners write').waitFor();
	await world.api(`/rooms/${anna.room()}/owner`, { act: 'quiet', on: false }, token);
	await ben.until(() => !document.querySelector('#text').readOnly);
	await refused('too late', { act: 'mute', user, minutes: 5 });
	await ben.log.getByText('not sent: muted').waitFor();
});

promise('who presses Join sees at once that it is under way, and gets in when the server answers at last', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna');
	const ben = await world.person();
	await ben.page.clock.install();
	const status = ben.page.getByRole('status');
	const alert = ben.page.getByRole('alert');
	/** What is asked for gets no answer, until it is let through. */
	const hang = async (path) => {
		let asked = 0, through = false;
		await ben.page.route('**' + path, (route) => { asked++; if (through) route.continue(); });
		return { asked: () => eventually(`${path} is asked for`, () => asked), open: () => { through = true; return asked; } };
	};
	const where = await hang('/where');
	const join = await hang('/room/join');
	// The door is there without what only the server knows.
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await status.getByText('Connecting …').waitFor();
	await where.asked();
	await ben.page.clock.fastForward(9000);
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.locator('#join').getByRole('button').click();
	await status.getByText('Connecting …').waitFor();
	await join.asked();
	await ben.page.clock.fastForward(9000);
	await alert.getByText('The server does not answer.').waitFor();
	await status.getByText('Connecting …').waitFor();
	await ben.isAccessible('a door at which nobody answers');
	const before = join.open();
	where.open();
	await ben.page.clock.fastForward(3000);
	await ben.text.waitFor();
	assert.ok(before > 0);
	await ben.says('in at last');
	await anna.sees('in at last');
	assert.equal(await anna.log.getByText('⁨Ben⁩ joined').count(), 1, 'once');
});

promise('a refusal is said also to who types on meanwhile, and takes nothing of what was typed', async (world) => {
	world.expect(/status of 403 .*\/room\/join/);
	const anna = await world.teacher('Anna');
	const { token } = await anna.page.evaluate(() => JSON.parse(localStorage['parlor.me']));
	await world.api(`/rooms/${anna.room()}/owner`, { act: 'password', password: 'open sesame' }, token);
	const ben = await world.person();
	let answer;
	await ben.page.route('**/room/join', (route) => { answer ??= () => route.continue(); });
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.locator('#join').getByRole('button').click();
	await eventually('it is asked', () => answer);
	await ben.page.getByLabel('Your name').fill('Benno');
	await answer();
	await ben.page.getByRole('alert').getByText(/password/).waitFor();
	assert.equal(await ben.page.getByLabel('Your name').inputValue(), 'Benno');
});

promise('what was pressed while the server was away is done when it is back, unless one types something else', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.person();
	await anna.page.clock.install();
	await anna.page.goto(world.base + '/');
	let asked = 0;
	anna.page.on('request', (request) => { asked += request.url().endsWith('/room/create'); });
	const form = anna.page.locator('#create');
	const press = async () => {
		await form.getByRole('button').click();
		await anna.page.getByRole('alert').getByText('The server does not answer.').waitFor();
	};
	await form.getByLabel('Name of the room').fill('Physics');
	await form.getByLabel('Your name').fill('Ana');
	await world.server.kill();
	await press();
	await form.getByLabel('Your name').fill('Anna');
	await anna.until(() => !document.querySelector('main [role=status]').textContent);
	const before = asked;
	await anna.page.clock.fastForward(10_000);
	await world.server.start();
	await anna.page.evaluate(() => fetch('/where').then((answer) => answer.text()));
	assert.equal(asked, before, 'what is being changed is not asked for');

	await world.server.kill();
	await press();
	await world.server.start();
	await anna.sees('⁨Anna⁩ joined');
	await anna.says('here');
});

promise('a late answer takes nobody into a room that one has turned away from', async (world) => {
	const anna = await world.teacher('Anna', 'Physics');
	const ben = await world.teacher('Ben', 'Chemistry');
	const cleo = await world.person();
	const join = await cleo.holds('/room/join');
	await cleo.knock(`${world.base}/#/room/${anna.room()}`, 'Cleo');
	await join.asked(1);
	await cleo.page.getByRole('link', { name: 'All rooms' }).click();
	await cleo.asks(ben.room(), 'Cleo');
	await join.answer(2);
	await cleo.text.waitFor();
	const me = () => cleo.page.evaluate(() => localStorage['parlor.me']);
	const before = await me();
	await cleo.text.pressSequentially('half a w');
	await join.answer(1);
	// One person is one guest, also where the answer came too late: in that room as in this.
	await join.answer(3);
	await cleo.until((id) => JSON.parse(localStorage['parlor.rooms']).some((room) => room.id === id), anna.room());
	await cleo.text.pressSequentially('ord');
	assert.equal(await cleo.text.inputValue(), 'half a word');
	assert.equal(cleo.room(), ben.room());
	assert.equal(await me(), before);
	await cleo.text.press('Enter');
	await cleo.isSent();
	await ben.sees('half a word');
	assert.deepEqual(await anna.messages(), []);
	await anna.page.getByRole('button', { name: '2 of 2 here' }).waitFor();
	await cleo.page.getByRole('link', { name: 'All rooms' }).click();
	await cleo.page.locator('#rooms').getByRole('link', { name: 'Physics' }).click();
	await join.answer(4);
	await cleo.says('here, too');
	await anna.sees('here, too');
});

promise('who turned away before the server answered at all is in no room', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	const link = ben.page.url();
	await ben.choose('Leave the room');
	await ben.press('OK', ben.dialog);
	await ben.page.locator('#create').waitFor();
	let asked = 0;
	ben.page.on('request', (request) => { asked += request.url().endsWith('/room/join'); });
	const where = await ben.holds('/where');
	// Whose name is known is let in without a question.
	await ben.page.evaluate((link) => { location.href = link; }, link);
	await where.asked(1);
	await ben.page.evaluate(() => { location.hash = '#/'; });
	await where.answer(2);
	await ben.page.locator('#create').waitFor();
	await where.answer(1);
	await ben.page.getByLabel('Room number or link').fill(String(anna.room()));
	await ben.until(() => document.querySelector('#create'));
	assert.equal(asked, 0);
});

promise('Join that is pressed twice is asked once, and what is written then is sent', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.person();
	const join = await ben.holds('/room/join');
	await ben.knock(`${world.base}/#/room/${anna.room()}`, 'Ben');
	await join.asked(1);
	await ben.press(/^Join/);
	await ben.page.getByLabel('Your name').press('Enter');
	await ben.page.getByRole('status').getByText('Connecting …').waitFor();
	await join.answer(1);
	await ben.text.waitFor();
	await ben.text.pressSequentially('written at once');
	assert.equal(await ben.text.inputValue(), 'written at once', 'the focus stays');
	await ben.text.press('Enter');
	await ben.isSent();
	await anna.sees('written at once');
	assert.equal(join.count(), 1);
});

promise('an answer that is lost makes no second guest, after a reload neither, and what was corrected meanwhile is heeded', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna');
	const link = `${world.base}/#/room/${anna.room()}`;
	const silence = (who) => who.page.getByRole('alert').getByText('The server does not answer.').waitFor();
	const ben = await world.person();
	const bens = await ben.holds('/room/join');
	await ben.knock(link, 'Ben');
	await bens.lose(1);
	await silence(ben);
	await ben.page.reload();
	await ben.page.getByLabel('Your name').fill('Ben');
	await ben.page.locator('#join').getByRole('button').click();
	await bens.answer(2);
	await ben.says('I am one');
	await anna.page.getByRole('button', { name: '2 of 2 here' }).waitFor();

	const cleo = await world.person();
	const cleos = await cleo.holds('/room/join');
	await cleo.knock(link, 'Clo');
	await cleos.lose(1);
	await silence(cleo);
	await cleo.page.getByLabel('Your name').fill('Cleo');
	await cleo.page.locator('#join').getByRole('button').click();
	await cleos.answer(2);
	await anna.sees('⁨Cleo⁩ joined');
	await cleo.says('I am another');

	// Also where the answer comes after all: who was let in by a name that is wished no more leaves again.
	const dora = await world.person();
	const doras = await dora.holds('/room/join');
	await dora.knock(link, 'Dor');
	await doras.asked(1);
	await dora.page.getByLabel('Your name').fill('Dora');
	await doras.answer(1);
	await anna.sees('⁨Dor⁩ left');
	await dora.page.locator('#join').getByRole('button').click();
	await doras.answer(2);
	await dora.says('I am a third');
	await anna.sees('⁨Dora⁩ joined');
});

/** Where the divider stands in the list, and the first message below it; null where there is none in view. */
const divided = (who) => who.page.evaluate(() => {
	const [list, el] = ['#messages', '.unread'].map((selector) => document.querySelector(selector));
	const [box, is] = [list, el].map((e) => e?.getBoundingClientRect());
	return is && is.top > box.top && is.bottom < box.bottom ? el.nextSibling.querySelector('.text').firstChild.textContent : null;
});

promise('what was missed is divided off where one had read to, and counted until it was seen', NO_LIMITS, async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase, ...PHONE });
	const ben = await world.pupil(anna, 'Ben');
	await ben.says('seen');
	await anna.sees('seen');
	const room = anna.room();
	const missed = async (count, name) => {
		const { user, token } = await world.api('/room/join', { roomId: room, userName: name });
		for (let i = 0; i < count; i++) await world.api('/message/send', { roomId: room, userId: user.userId, message: { type: 'message', userId: user.userId, contentType: 'text', content: `${name} ${i}.` } }, token);
	};
	const titled = (title) => anna.until((title) => document.title === title, title);
	const starts = (text) => eventually(`the divider is above ${text}`, async () => await divided(anna) === text);
	const toEnd = async (count) => {
		await anna.page.getByRole('button', { name: `↓ ${count} new` }).click();
		await titled('Physics · parlor');
	};
	const sleeps = async (meanwhile) => {
		world.line.become('cut');
		await anna.barIs('waiting');
		await meanwhile();
		world.line.become('open');
		await anna.isBack();
		await anna.barIs('online');
	};

	await sleeps(() => missed(60, 'asleep'));
	await titled('(60) Physics · parlor');
	await starts('asleep 0.');
	await toEnd(60);

	// The same after a reload, which need not be of one's own will.
	const link = anna.page.url();
	await anna.page.goto('about:blank');
	await missed(50, 'reloaded');
	await anna.page.goto(link);
	await titled('(50) Physics · parlor');
	await starts('reloaded 0.');
	await toEnd(50);

	// And from the first screen, where the last divider is no news any more.
	await anna.page.getByRole('link', { name: 'All rooms' }).click();
	await anna.page.locator('#create').waitFor();
	await anna.page.goBack();
	await anna.sees('reloaded 49.');
	assert.equal(await anna.log.locator('.unread').count(), 0);
	await anna.page.getByRole('link', { name: 'All rooms' }).click();
	await missed(40, 'elsewhere');
	await titled('(40) parlor');
	await anna.page.goBack();
	await starts('elsewhere 0.');
	await titled('(40) Physics · parlor');
	await toEnd(40);

	// What is in view as a whole has been seen.
	await sleeps(() => missed(2, 'few'));
	await starts('few 0.');
	await titled('Physics · parlor');
	// Who reads what is old stays there.
	const place = () => anna.page.evaluate(() => {
		const list = document.querySelector('#messages');
		const row = [...list.querySelectorAll('.row')].find((el) => el.getBoundingClientRect().top > list.getBoundingClientRect().top);
		return [row.dataset.uuid, Math.round(row.getBoundingClientRect().bottom)];
	});
	await anna.scrollsUp(2000);
	const old = await place();
	await sleeps(() => missed(3, 'later'));
	await titled('(3) Physics · parlor');
	assert.deepEqual(await place(), old);
});

promise('who was away while a server that keeps little forgot what was missed is told so', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('before');
	world.line.become('cut');
	await anna.barIs('waiting');
	for (let i = 1; i <= 12; i++) await ben.says(`missed ${i}.`);
	await world.server.kill('SIGTERM');
	await world.server.start(['--keep-messages', '5']);
	await eventually('the oldest are pruned', async () => (await texts(world, anna))[0] === 'missed 8.');
	world.line.become('open');
	await anna.barIs('lost');
	await anna.bar.getByText('Some older messages are gone').waitFor();
	const kept = [8, 9, 10, 11, 12].map((i) => `missed ${i}.`);
	assert.deepEqual(await anna.messages(), kept);
	await anna.log.getByText('Some older messages are gone').waitFor();
	await anna.press('Close', anna.bar);
	await anna.barIs('online');
	await anna.says('and on');
	await ben.sees('and on');
	// Also who had closed the page.
	await anna.page.goto('about:blank');
	for (let i = 1; i <= 12; i++) await ben.says(`missed anew ${i}.`);
	await world.server.kill('SIGTERM');
	await world.server.start(['--keep-messages', '5']);
	await eventually('the oldest are pruned', async () => (await texts(world, ben))[0] === 'missed anew 8.');
	await anna.page.goto(`${world.lineBase}/#/room/${ben.room()}`);
	await anna.barIs('lost');
	await anna.press('Close', anna.bar);
	await anna.page.reload();
	await anna.barIs('online');
});

promise('what is written before the room is there is seen to be under way', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('before');
	await anna.page.goto(world.lineBase + '/#/');
	await anna.page.reload();
	await anna.page.locator('#create').waitFor();
	world.line.become('cut');
	await anna.page.getByRole('link', { name: /Physics/ }).click();
	await anna.types('written while away');
	await anna.log.locator('[data-state=sending]').getByText('written while away').waitFor();
	assert.equal(await anna.log.getByText('begins here').count(), 0, 'nobody knows yet where it begins');
	world.line.become('open');
	await ben.sees('written while away');
	await anna.isSent();
	assert.deepEqual(await anna.messages(), ['before', 'written while away']);
});

promise('more than a thousand unread are all counted, and divided off where one had read to', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('read');
	await ben.sees('read');
	await ben.page.goto('about:blank');
	await world.crowd(anna, 1500);
	await ben.page.goto(`${world.base}/#/room/${anna.room()}`);
	await ben.page.evaluate(() => { document.hasFocus = () => false; });
	await ben.until(() => document.title.startsWith('(1500) '));
});

promise('who turned away while a first answer was on its way finds the room connected when coming back', async (world) => {
	const teacher = await world.teacher('Teacher');
	const anna = await world.person();
	const join = await anna.holds('/room/join');
	await anna.knock(`${world.base}/#/room/${teacher.room()}`, 'Anna');
	await join.asked(1);
	await anna.page.getByRole('link', { name: 'All rooms' }).click();
	await anna.page.locator('#create').waitFor();
	await join.answer(1);
	await anna.until(() => localStorage['parlor.me']);
	await anna.page.goBack();
	await anna.says('here I am');
	await teacher.sees('here I am');
});

promise('what is refused in one card leaves the other alone, and no name is kept that nobody took', async (world) => {
	world.expect(/status of 4\d\d .*\/room\/join/);
	const teacher = await world.teacher('Ann');
	const anna = await world.person();
	await anna.page.goto(world.base + '/');
	const form = anna.page.locator('#join');
	await anna.page.locator('#my-name').fill('Prof. Ann');
	await anna.asks(teacher.room(), 'Ann');
	await form.getByRole('alert').getByText('Ann-2').waitFor();
	assert.equal(await anna.page.locator('#name').inputValue(), 'Ann-2');
	assert.equal(await anna.page.locator('#my-name').inputValue(), 'Prof. Ann');
	assert.equal(await anna.page.evaluate(() => localStorage['parlor.name']), undefined);
});

promise('writing in the other card stops no join', async (world) => {
	const teacher = await world.teacher('Teacher');
	const anna = await world.person();
	const join = await anna.holds('/room/join');
	await anna.page.goto(world.base + '/');
	const form = anna.page.locator('#join');
	await anna.asks(teacher.room(), 'Anna');
	await join.asked(1);
	await anna.page.locator('#room-name').fill('P');
	await form.getByRole('status').getByText('Connecting').waitFor();
	await join.answer(1);
	await anna.text.waitFor();
});

promise('a remembered room that is gone is refused where one pressed, and the focus stays', async (world) => {
	world.expect(/status of 404 .*\/room\/join/);
	const anna = await world.person();
	const join = await anna.holds('/room/join');
	await anna.page.goto(world.base + '/');
	await anna.page.evaluate(() => { localStorage['parlor.rooms'] = '[{"id":77,"name":"Old"}]'; });
	await anna.page.reload();
	const form = anna.page.locator('#join');
	await anna.asks('77', 'Anna');
	await join.asked(1);
	await anna.page.locator('[data-act=language]').focus();
	await join.answer(1);
	await form.getByRole('alert').getByText('no such room').waitFor();
	assert.equal(await anna.page.evaluate(() => document.activeElement.dataset.act), 'language');
	// The list is one shorter now.
	await anna.page.keyboard.press('Enter');
	await form.getByRole('alert').getByText('房间不存在').waitFor();
	assert.equal(await anna.page.evaluate(() => document.activeElement.dataset.act), 'language');
});

promise('a line of a few kilobytes a second opens a room with a history, however long that takes', NO_LIMITS, async (world) => {
	const anna = await world.teacher('Anna');
	await world.crowd(anna, 200, (i) => `message ${i} ` + 'lorem ipsum '.repeat(25));
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	await ben.sees('message 199');
	world.line.pace = 6000;
	await ben.page.reload();
	await ben.sees('message 199');
});

promise('who speaks while what was missed is still coming stays at the end', NO_LIMITS, async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	await anna.says('read');
	await ben.sees('read');
	await ben.page.goto('about:blank');
	await world.crowd(anna, 300);
	world.line.pace = 30_000;
	await ben.page.goto(`${world.lineBase}/#/room/${anna.room()}`);
	await ben.sees('message 299');
	await ben.says('here I am');
	world.line.pace = Infinity;
	await ben.barIs('online');
	await ben.until(() => {
		const box = document.querySelector('#messages');
		return box.scrollHeight - box.scrollTop - box.clientHeight < 2 && !document.querySelector('.unread');
	});
	await ben.log.getByText('here I am').waitFor();
	assert.equal(await ben.page.title(), 'Physics 7b · parlor');
});

promise('a clock that is set back hides no line that fell silent', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	await anna.says('heard');
	await anna.isPatient();
	await anna.page.evaluate(() => { const { now } = Date; Date.now = () => now() - 36e5; });
	world.line.become('silent');
	await anna.types('unheard');
	await anna.barIs('waiting');
	assert.match(await anna.bar.textContent(), /in [56]\d s/);
	world.line.become('open');
	await anna.isBack();
	await anna.isSent();
});

promise('after an older copy of the database was restored what is new counts as unread', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await ben.page.evaluate(() => { localStorage[`parlor.seen.${location.hash.match(/\d+/)[0]}`] = '9000'; });
	await ben.page.reload();
	await ben.barIs('online');
	await ben.page.evaluate(() => { document.hasFocus = () => false; });
	await anna.says('news');
	await ben.until(() => document.title.startsWith('(1) '));
});
