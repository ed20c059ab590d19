// A room with thousands of messages: older ones load as one scrolls up, the place stays put, and only what is
// near the view is in the document.

import assert from 'node:assert/strict';
import { NO_LIMITS, PHONE, promise } from './support.js';

const MANY = 5000;
/** Rows in the document: a view of 740 pixels with 900 above and below, and rows of at least 30. */
const NEAR = 120;
/** A phone of five years ago is about four times slower than a laptop. */
const SLOWER = 4;
const FIRST_MESSAGE_MS = 5000;
/** What the script's heap may hold of 5,000 messages of 180 characters: 900 kB of text, and what it knows of each. */
const HEAP_BYTES = 32_000_000;
/** A reader's eye sees a jump from about here. */
const JUMP_PX = 2;

/** Scrolls by `by` and answers how far what stands below the first row in view strayed from where it should be:
 * a row itself loses its name when an older one of the same person comes to stand above it. */
const scrolled = (who, by) => who.page.evaluate(async (by) => {
	const list = document.querySelector('#messages');
	const top = list.getBoundingClientRect().top;
	const row = [...list.querySelectorAll('.row')].find((el) => el.getBoundingClientRect().top > top + 5);
	const before = row.getBoundingClientRect().bottom;
	const from = list.scrollTop;
	list.scrollTop -= by;
	const moved = from - list.scrollTop;
	for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
	const now = list.querySelector(`[data-uuid="${row.dataset.uuid}"]`);
	return now && Math.abs(now.getBoundingClientRect().bottom - before - moved);
}, by);

promise('in a room of 5,000 messages the place stays put, the document small, and a slow phone fast', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, MANY);
	await teacher.sees(`message ${MANY - 1} `);
	const ben = await world.pupil(teacher, 'Ben', PHONE);
	await ben.sees(`message ${MANY - 1} `);
	assert.ok(await ben.rows.count() < NEAR);
	await readsUpwards(ben, teacher);
	await isFast(ben);
});

async function readsUpwards(ben, teacher) {
	const numbers = async () => (await ben.messages()).map((text) => Number(text.match(/message (\d+)/)[1]));
	await ben.scrollsUp(600);
	const [start] = await numbers();
	for (let i = 0; i < 60; i++) {
		const strayed = await scrolled(ben, 600);
		assert.ok(strayed === null || strayed < JUMP_PX, `strayed by ${strayed} pixels, at step ${i}`);
		assert.ok(await ben.rows.count() < NEAR);
	}
	// Older ones were loaded, the order is whole, and what arrives meanwhile moves nothing.
	const seen = await numbers();
	assert.ok(seen[0] < start - 150);
	assert.deepEqual(seen, seen.map((_, i) => seen[0] + i));
	await teacher.says('while Ben reads what is old');
	await ben.page.getByRole('button', { name: '↓ 1 new' }).waitFor();
	assert.deepEqual(await numbers(), seen);
	await ben.page.getByRole('button', { name: '↓ 1 new' }).click();
	await ben.sees('while Ben reads what is old');
	assert.ok(await ben.rows.count() < NEAR);
}

async function isFast(ben) {
	const chromium = await ben.page.context().newCDPSession(ben.page);
	await chromium.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
	await chromium.send('Network.clearBrowserCache');
	await ben.page.reload({ waitUntil: 'commit' });
	await ben.rows.last().waitFor();
	const first = await ben.page.evaluate(() => performance.now());
	await chromium.send('Emulation.setCPUThrottlingRate', { rate: 1 });
	assert.ok(first < FIRST_MESSAGE_MS, `${first} ms`);

	// To the top of what is loaded, again and again, until all is there.
	await ben.page.evaluate(() => { window.up = setInterval(() => { document.querySelector('#messages').scrollTop = 0; }, 10); });
	await ben.log.getByText('message 0 ').waitFor();
	await ben.log.getByText('begins here.').waitFor();
	await ben.page.evaluate(() => clearInterval(window.up));
	await chromium.send('HeapProfiler.collectGarbage');
	const { usedSize } = await chromium.send('Runtime.getHeapUsage');
	console.log(`first message after ${Math.round(first)} ms on a CPU ${SLOWER} times slower; heap with ${MANY} messages: ${(usedSize / 1e6).toFixed(1)} MB`);
	assert.ok(usedSize < HEAP_BYTES, `${usedSize} bytes`);
	assert.ok(await ben.rows.count() < NEAR);
	await ben.says('at the end again');
	assert.deepEqual((await ben.messages()).slice(-2), ['while Ben reads what is old', 'at the end again']);
	assert.ok(await ben.rows.count() < NEAR);
}

promise('the quotation of what is far above says who said what, and leads there', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	const teacher = await world.teacher();
	await teacher.says('the very first question');
	const reply = await teacher.page.evaluate(async () => {
		const { room } = await import('/page/sync.js');
		return room(Number(location.hash.match(/\d+/)[0])).entries.at(-1).seq;
	});
	const { user, token } = await world.crowd(teacher, 1000, (i) => `hay ${i}.`);
	await world.api('/message/send', { roomId: teacher.room(), userId: user.userId, message: { type: 'message', userId: user.userId, contentType: 'text', content: 'a late answer', reply } }, token);
	const ben = await world.pupil(teacher, 'Ben');
	const quote = ben.log.locator('.quote');
	await quote.getByText('the very first question').waitFor();
	await quote.getByText('Ms Okafor').waitFor();
	await quote.click();
	const found = ben.log.locator('.found');
	await found.getByText('the very first question').waitFor();
	const { top, bottom } = await found.evaluate((el) => el.getBoundingClientRect().toJSON());
	assert.ok(top > 40 && bottom < 800, `in view: ${top} to ${bottom}`);

	// It follows an edit, and says so if there is nothing to show.
	await ben.page.reload();
	await quote.getByText('the very first question').waitFor();
	const change = (text) => teacher.page.evaluate(async ([seq, text]) => {
		const { change, room } = await import('/page/sync.js');
		const it = room(Number(location.hash.match(/\d+/)[0]));
		await change(it, it.bySeq.get(seq), text);
	}, [reply, text]);
	await change('the first question, mended');
	await quote.getByText('the first question, mended').waitFor();
	await change();
	await quote.getByText('This message is no more.').waitFor();
	await quote.click();
	await ben.page.getByRole('status').getByText('This message is no more.').waitFor();

	// Of much that was missed, one begins to read where one was.
	const link = ben.page.url();
	await ben.page.goto('about:blank');
	await teacher.page.evaluate(async () => {
		const { room, say } = await import('/page/sync.js');
		for (let i = 0; i < 450; i++) say(room(Number(location.hash.match(/\d+/)[0])), { text: `missed ${i}.` });
	});
	await teacher.isSent();
	await ben.page.goto(link);
	await ben.until(() => document.title === '(450) Physics 7b · parlor');
	await ben.until(() => document.querySelector('.unread')?.nextSibling.textContent.includes('missed 0.'));
	await ben.page.getByRole('button', { name: '↓ 450 new' }).click();
});

promise('who deleted a message is said also where that stands far above', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	const teacher = await world.teacher();
	await teacher.says('the teacher\'s own');
	const ben = await world.pupil(teacher, 'Ben');
	await ben.says('a bad word');
	await teacher.sees('a bad word');
	await world.crowd(teacher, 400, (i) => `hay ${i}.`);
	const change = (who, last) => who.page.evaluate(async (last) => {
		const { change, room } = await import('/page/sync.js');
		const it = room(Number(location.hash.match(/\d+/)[0]));
		await change(it, it.entries.filter((e) => e.text === last)[0]);
	}, last);
	await change(teacher, 'a bad word');
	await change(teacher, 'the teacher\'s own');
	await ben.page.reload();
	await ben.sees('hay 399.');
	await ben.page.evaluate(() => { window.up = setInterval(() => { document.querySelector('#messages').scrollTop = 0; }, 10); });
	await ben.log.getByText('begins here.').waitFor();
	await ben.page.evaluate(() => clearInterval(window.up));
	await ben.sees('⁨Ms Okafor⁩ deleted 1');
	await ben.log.getByText(/^1 deleted$/).waitFor();
});

promise('search finds an old message, and leads to it', [...NO_LIMITS, '--durability', 'fast'], async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, 1000, (i) => (i === 17 ? 'the Needle in it' : `hay ${i}`));
	let empty = 0;
	teacher.page.on('request', (request) => { empty += /search\?q=$/.test(request.url()); });
	await teacher.choose('Search');
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.dialog.getByRole('textbox').fill('needle');
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.dialog.getByRole('button', { name: /the Needle in it/ }).click();
	const found = teacher.log.locator('.found');
	await found.getByText('the Needle in it').waitFor();
	assert.equal(empty, 0, 'nothing is asked for nothing');
	const { top, bottom } = await found.evaluate((el) => el.getBoundingClientRect().toJSON());
	assert.ok(top > 40 && bottom < 800, `in view: ${top} to ${bottom}`);
	// Of many the newest are shown, and the others on demand.
	await teacher.choose('Search');
	await teacher.dialog.getByRole('textbox').fill('hay 1');
	await teacher.dialog.getByRole('textbox').press('Enter');
	const hits = () => teacher.dialog.locator('[data-act=hit]').allTextContents();
	const all = [];
	const more = teacher.dialog.getByRole('button', { name: 'More', exact: true });
	for (;;) {
		await teacher.dialog.locator('[data-act=hit]').first().waitFor();
		all.push(...await hits());
		if (!await more.count()) break;
		await more.click();
		await teacher.until((last) => ![...document.querySelectorAll('[data-act=hit]')].some((el) => el.textContent === last), all.at(-1));
	}
	const numbers = all.map((text) => Number(text.match(/hay (\d+)/)[1]));
	const wanted = Array.from({ length: 1000 }, (_, i) => i).filter((i) => String(i).startsWith('1') && i !== 17);
	assert.deepEqual(numbers, wanted.reverse());
	for (let n; (n = await teacher.page.getByRole('dialog').count());) {
		await teacher.page.keyboard.press('Escape');
		await teacher.until((n) => document.querySelectorAll('[role=dialog]').length < n, n);
	}
	await teacher.choose('Search');
	await teacher.dialog.getByRole('textbox').fill('haystack');
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.page.getByRole('status').getByText('Nothing found').waitFor();
	// Without the server nobody knows.
	world.expect(/WebSocket connection to .* failed/, /net::ERR_/);
	await world.server.kill();
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.page.getByRole('status').getByText('The server does not answer.').waitFor();
});
