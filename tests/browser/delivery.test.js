// The truth about delivery: sent is stored, offline is said, and whatever happens to the line or the server,
// nothing is missing and nothing is there twice.

import assert from 'node:assert/strict';
import { NO_LIMITS, eventually, promise } from './support.js';

/** What Chromium says of a server that is not there. */
const UNREACHABLE = [/WebSocket connection to .* failed/, /net::ERR_(CONNECTION_|EMPTY_RESPONSE|INTERNET_DISCONNECTED|NETWORK_)/];

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
	world.line.become('cut');
	await anna.barIs('waiting');
	await anna.page.getByText('Offline: trying again').waitFor();
	await anna.bar.getByText(/in \d+ s/).waitFor();
	await anna.types('typed offline');
	await anna.types('and this');
	await anna.own.getByRole('img', { name: 'sending' }).nth(1).waitFor();
	await ben.says('meanwhile');
	world.line.become('open');
	await anna.bar.getByRole('button').click();
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
	assert.equal(await anna.own.getByRole('img', { name: 'sending' }).count(), 1);
	await anna.page.evaluate(() => dispatchEvent(new Event('online')));
	await anna.barIs('waiting');
	await ben.says('it did');
	world.line.become('open');
	await anna.isSent();
	await anna.sees('it did');
	for (const who of [anna, ben]) assert.deepEqual(await who.messages(), ['did it arrive?', 'it did']);
	assert.deepEqual(await texts(world, anna), ['did it arrive?', 'it did']);
});

promise('the network\'s return is noticed at once', async (world) => {
	world.expect(...UNREACHABLE);
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	await anna.says('one');
	// Waits as long as a page does that has tried for long.
	await anna.page.evaluate(() => { Math.random = () => 1; });
	await anna.page.context().setOffline(true);
	world.line.become('cut');
	await anna.barIs('waiting');
	await anna.bar.getByText(/in [3-9] s/).waitFor();
	world.line.become('open');
	await anna.page.context().setOffline(false);
	const start = Date.now();
	await anna.barIs('online');
	assert.ok(Date.now() - start < 2500, 'it did not wait for its next try');
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
});
