// People in one room: what one says the others read, once, and the page keeps its place.

import assert from 'node:assert/strict';
import { NO_LIMITS, PHONE, eventually, promise } from './support.js';

/** What one can do with a message. */
async function act(who, text, name) {
	const row = who.rows.filter({ hasText: text }).last();
	await row.hover();
	await who.press(/: More$/, row);
	if (name) await who.press(name, who.dialog);
}

promise('three people in one room read each other in one order', async (world) => {
	const anna = await world.teacher('Anna');
	const [ben, cleo] = await Promise.all([world.pupil(anna, 'Ben', PHONE), world.pupil(anna, 'Cleo')]);
	await Promise.all([[anna, 'from Anna'], [ben, 'from Ben'], [cleo, 'from Cleo']].map(([who, text]) => who.says(text)));
	for (const who of [anna, ben, cleo]) for (const text of ['from Anna', 'from Ben', 'from Cleo']) await who.sees(text);
	const [first, ...others] = await Promise.all([anna, ben, cleo].map((who) => who.messages()));
	assert.equal(first.length, 3);
	for (const other of others) assert.deepEqual(other, first);
	await anna.page.getByRole('button', { name: '3 of 3 here' }).waitFor();
	// Only one's own stand on one's own side, and say that they are stored.
	assert.equal(await ben.own.count(), 1);
	assert.equal(await ben.own.getByRole('img', { name: 'sent', exact: true }).count(), 1);
});

promise('who is typing is shown, and no longer when the message is there', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	// Nobody is told of what was typed while the page still connects: Ben goes on.
	const hint = anna.page.getByText('Ben⁩ writing');
	const until = Date.now() + 15_000;
	while (!await hint.isVisible() && Date.now() < until) await ben.text.pressSequentially('Hm', { delay: 100 });
	assert.ok(await hint.isVisible(), 'Anna sees that Ben is writing');
	await ben.types('Hello');
	await anna.sees('Hello');
	await anna.page.getByText('writing …').waitFor({ state: 'detached' });
});

promise('a reload keeps the place, the name and the room', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('before the reload');
	await anna.page.reload();
	await anna.sees('before the reload');
	await anna.says('after it');
	assert.deepEqual(await anna.messages(), ['before the reload', 'after it']);
	await anna.page.getByRole('button', { name: '1 of 1 here' }).waitFor();
	// The first screen knows the room, and its link leads back without a question.
	await anna.page.getByRole('link', { name: 'All rooms' }).click();
	await anna.page.getByRole('link', { name: 'Physics 7b' }).first().click();
	await anna.sees('after it');
});

promise('a screen reader hears who says it, of each message, and the focus stays where somebody edits', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	for (const text of ['one', 'two']) await anna.says(text);
	await ben.sees('two');
	for (const who of [anna, ben]) assert.deepEqual(await who.rows.locator('bdi').allTextContents(), ['Anna', 'Anna']);
	const menu = ben.rows.last().getByRole('button', { name: 'Anna: More' });
	await menu.focus();
	await anna.page.evaluate(async () => {
		const { change, room } = await import('/page/sync.js');
		const it = room(Number(location.hash.match(/\d+/)[0]));
		await change(it, it.entries.at(-1), 'edited: http://x.example/');
	});
	await ben.sees('edited: ');
	assert.equal(await menu.evaluate((el) => el === document.activeElement), true);
});

promise('what came while one looked away is counted in the title and divided off', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('seen');
	await ben.sees('seen');
	// Chromium without a screen believes every page to be in front.
	await ben.page.evaluate(() => { document.hasFocus = () => false; });
	await anna.says('unseen one');
	await anna.says('unseen two');
	await ben.until(() => document.title === '(2) Physics 7b · parlor');
	const order = await ben.log.locator('.row, .unread').evaluateAll((all) => all.map((el) => (el.className === 'unread' ? 'divider' : el.querySelector('.text').firstChild.textContent)));
	assert.deepEqual(order, ['seen', 'divider', 'unseen one', 'unseen two']);
	await ben.page.evaluate(() => { delete document.hasFocus; dispatchEvent(new Event('focus')); });
	await ben.until(() => document.title === 'Physics 7b · parlor');

	// Also when the first of it came while one was looking, further up.
	await anna.says('a long one\n'.repeat(80));
	await ben.sees('a long one');
	await ben.until(() => document.title === 'Physics 7b · parlor');
	// Who scrolls in the moment in which something is drawn scrolls again.
	await eventually('the end is out of view', async () => {
		await ben.page.evaluate(() => { document.querySelector('#messages').scrollTop = 0; });
		return ben.page.getByRole('button', { name: '↓ Newest' }).isVisible();
	});
	await anna.says('further down');
	await ben.page.getByRole('button', { name: '↓ 1 new' }).waitFor();
	await ben.page.evaluate(() => { document.hasFocus = () => false; });
	await anna.says('and away');
	await ben.page.getByRole('button', { name: '↓ 2 new' }).click();
	await ben.until(() => document.querySelector('.unread')?.nextSibling.textContent.includes('further down'));
});

promise('one can answer with a quotation, edit and delete what is one\'s own, and nothing else', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('What is two and two?');
	await ben.sees('What is two and two?');
	await act(ben, 'What is two', 'Reply');
	await ben.says('Fiev');
	await anna.log.locator('.quote', { hasText: 'What is two and two?' }).waitFor();
	await act(ben, 'Fiev', 'Edit');
	await ben.types('Four');
	await anna.sees('Four');
	await anna.log.getByText('edited').waitFor();
	await act(ben, 'Four', 'Delete');
	await ben.press('OK', ben.dialog);
	await anna.log.getByText('1 deleted').waitFor();
	assert.deepEqual(await anna.messages(), ['What is two and two?']);
	// What was to answer a message that is deleted meanwhile is said all the same.
	await anna.says('soon gone');
	await ben.sees('soon gone');
	await act(ben, 'soon gone', 'Reply');
	await ben.text.fill('said all the same');
	const seq = await ben.page.evaluate(async () => {
		const { room } = await import('/page/sync.js');
		return room(Number(location.hash.match(/\d+/)[0])).draft.about.seq;
	});
	await act(anna, 'soon gone', 'Delete');
	await anna.press('OK', anna.dialog);
	await ben.page.locator('.context b').waitFor({ state: 'detached' });
	assert.equal(await ben.text.inputValue(), 'said all the same');
	await ben.text.press('Enter');
	await ben.isSent();
	await ben.page.evaluate(async (reply) => {
		const { room, say } = await import('/page/sync.js');
		say(room(Number(location.hash.match(/\d+/)[0])), { text: 'sent too late', reply });
	}, seq);
	await ben.isSent();
	for (const text of ['said all the same', 'sent too late']) await anna.sees(text);
	// Another's message a pupil can only answer.
	await act(ben, 'What is two');
	assert.deepEqual(await ben.dialog.locator('.menu button').allTextContents(), ['Reply']);
});

promise('what one answers is shown as it stands now, also after it was edited or deleted', NO_LIMITS, async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('What is two and tow?');
	await ben.sees('What is two');
	await act(ben, 'What is two', 'Reply');
	await ben.text.fill('Four');
	const strip = ben.page.locator('.context');
	await strip.getByText('What is two and tow?').waitFor();
	const edits = async (from, to) => {
		await anna.own.filter({ hasText: from }).locator('[data-act=actions]').click();
		await anna.press('Edit', anna.dialog);
		await anna.types(to);
		await anna.sees(to);
	};
	await edits('What is two', 'What is two and two?');
	await strip.getByText('What is two and two?').waitFor();
	// What was kept over a reload is as old as the draft.
	await ben.page.goto('about:blank');
	await edits('What is two', 'What is two and three?');
	await ben.page.goto(anna.page.url());
	await strip.getByText('What is two and three?').waitFor();
	assert.equal(await ben.text.inputValue(), 'Four');
	await ben.says('Five');
	await anna.log.locator('.quote', { hasText: 'What is two and three?' }).waitFor();
	await edits('What is two and three', 'What is six and six?');
	for (const who of [anna, ben]) await who.log.locator('.quote', { hasText: 'What is six and six?' }).waitFor();

	// It is so also where that stands far above, and is not loaded.
	await ben.rows.filter({ hasText: 'What is six' }).first().locator('[data-act=actions]').click();
	await ben.press('Reply', ben.dialog);
	await ben.text.fill('Twelve');
	await world.crowd(anna, 300, (i) => `hay ${i}.`);
	await ben.sees('hay 299.');
	await ben.until(() => document.title === 'Physics 7b · parlor');
	await ben.page.goto('about:blank');
	const change = (text) => anna.page.evaluate(async (text) => {
		const { change, room } = await import('/page/sync.js');
		const it = room(Number(location.hash.match(/\d+/)[0]));
		await change(it, it.entries.find((e) => e.text === 'What is six and six?' || e.text === 'What is six and seven?'), text);
	}, text);
	await change('What is six and seven?');
	await ben.page.goto(anna.page.url());
	await strip.getByText('What is six and seven?').waitFor();
	await change();
	await strip.getByText('This message is no more.').waitFor();
	assert.equal(await ben.text.inputValue(), 'Twelve');
	await ben.says('Twelve');
});

promise('what one answers stands in its own direction, beside who said it', async (world) => {
	const anna = await world.teacher('דנה');
	const ben = await world.pupil(anna, 'Ben', PHONE);
	await anna.says('שלום world');
	await ben.says('مرحبا');
	await ben.sees('שלום');
	await act(ben, 'שלום', 'Reply');
	/** Where each of these words of the strip begins, from the left. */
	const places = (...words) => ben.page.locator('.context').evaluate((el, words) => words.map((word) => {
		const walker = document.createTreeWalker(el, NodeFilter.SHOW_TEXT);
		for (let node; (node = walker.nextNode());) {
			const from = node.data.indexOf(word);
			if (from < 0) continue;
			const range = document.createRange();
			range.setStart(node, from);
			range.setEnd(node, from + word.length);
			return Math.round(range.getBoundingClientRect().left);
		}
		return null;
	}), words);
	const inOrder = async (...words) => {
		const is = await places(...words);
		assert.deepEqual(is, [...is].sort((a, b) => a - b), `${words} from left to right: ${is}`);
	};
	await inOrder('Reply', 'דנה', 'world', 'שלום');
	await ben.page.locator('[data-act=cancel]').click();
	await act(ben, 'مرحبا', 'Edit');
	await inOrder('Edit', 'Ben', 'مرحبا');
	await ben.fits('an answer from right to left');
});

promise('hostile texts stay text and keep to their place', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, '<b>Ben</b>', PHONE);
	const texts = {
		script: '<script>document.title = "taken"</script>',
		image: '<img src=x onerror="document.title=\'taken\'">',
		link: 'javascript:alert(1) https://example.org/<b>"onclick=alert(1)',
		bidi: 'abc \u202e txt.exe \u2066 unclosed \u202b',
		rtl: 'שלום, מרחבא مرحبا',
		zalgo: 'e' + '\u0301'.repeat(500),
		percent: '{0} %s &lt;b&gt; \\u0000 ${1}',
	};
	for (const text of Object.values(texts)) await anna.says(text);
	await ben.sees('{0} %s');
	assert.deepEqual(await anna.messages(), Object.values(texts));
	assert.equal(await anna.log.locator('script, img, b, style').count(), 0);
	assert.deepEqual(await anna.log.locator('a').evaluateAll((all) => all.map((a) => a.href)), ['https://example.org/']);
	assert.equal(await anna.log.locator('a').getAttribute('dir'), 'ltr');
	assert.match(await anna.page.title(), /Physics 7b/);
	await ben.says('still here');
	await anna.page.locator('bdi', { hasText: '<b>Ben</b>' }).first().waitFor();
	// The direction of a text is its own, and its time stands beside it.
	const direction = (text) => anna.log.locator('.text', { hasText: text }).evaluate((el) => getComputedStyle(el).direction);
	assert.equal(await direction('שלום'), 'rtl');
	assert.equal(await direction('still here'), 'ltr');

	// 4,000 characters without a space, of the widest kind, are as wide as the screen and no wider.
	await ben.fits('hostile texts on a phone');
	await ben.says('W'.repeat(4000));
	await anna.sees('WWWW');
	await anna.fits('4,000 characters on a laptop');
	await ben.fits('4,000 characters on a phone');
	await ben.page.setViewportSize({ width: 320, height: 600 });
	await ben.fits('4,000 characters at 320 pixels');
});

promise('an address is a link as a whole, without the sentence around it', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('(see https://x.example/Force_(physics)), http://x.example/a?b=(1)#c; 见http://x.example/页，好。http://x.example/（c）');
	assert.deepEqual(await anna.log.locator('a').allTextContents(), ['https://x.example/Force_(physics)', 'http://x.example/a?b=(1)#c', 'http://x.example/页', 'http://x.example/']);
});

promise('a text that is too long is told before it is sent, and is not lost', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.types('x'.repeat(4001));
	await anna.page.getByText('1 characters too many').waitFor();
	assert.equal(await anna.rows.count(), 0);
	assert.equal((await anna.text.inputValue()).length, 4001);
	await anna.types('😀'.repeat(4000));
	await anna.until(() => document.querySelectorAll('.own[data-state=sent]').length === 1);
});

promise('a draft stays while the language, the screen or the message under the cursor changes', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('mine');
	await anna.text.fill('half a thought');
	await anna.choose('中文');
	await anna.page.getByRole('button', { name: '邀请' }).waitFor();
	assert.equal(await anna.text.inputValue(), 'half a thought');
	await anna.page.locator('[data-act=more]').click();
	await anna.page.locator('[data-act=language]').click();
	await anna.page.getByRole('button', { name: 'Invite' }).waitFor();
	await anna.choose('Board for the wall');
	await anna.page.getByRole('link', { name: 'Close' }).click();
	assert.equal(await anna.text.inputValue(), 'half a thought');
	// An edit lies over it, and so does an answer in it.
	await act(anna, 'mine', 'Reply');
	assert.equal(await anna.text.inputValue(), 'half a thought');
	await act(anna, 'mine', 'Edit');
	assert.equal(await anna.text.inputValue(), 'mine');
	await anna.types('mine, better');
	await anna.sees('mine, better');
	await anna.until(() => document.querySelector('#text').value === 'half a thought');
	await anna.text.press('Enter');
	await anna.sees('half a thought');
	await anna.log.locator('.quote', { hasText: 'mine' }).waitFor();
	assert.equal(await anna.text.inputValue(), '');
});

promise('keys that choose a character in an input method send nothing and move nothing', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.text.fill('你');
	// Safari ends the composition first: the key code tells.
	const press = (where, key, how) => where.evaluate((el, { key, how }) => el.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...how })), { key, how });
	assert.equal(await press(anna.text, 'Enter', { keyCode: 229 }), true, 'the key is the input method\'s');
	await anna.choose('Search');
	const query = anna.dialog.getByRole('textbox');
	for (const key of ['ArrowDown', 'Tab', 'Escape']) {
		assert.equal(await press(query, key, { keyCode: 229, isComposing: true }), true, key);
		assert.ok(await query.evaluate((el) => el === document.activeElement), key);
	}
	await anna.page.keyboard.press('Escape');
	assert.equal(await anna.text.inputValue(), '你');
	assert.equal(await anna.own.count(), 0);
	await anna.text.press('Enter');
	await anna.isSent();
});

promise('an edit that fails loses nothing of what was typed', async (world) => {
	world.expect(/WebSocket connection to .* failed/, /net::ERR_/);
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', { base: world.lineBase });
	await ben.says('first text');
	await anna.sees('first text');
	world.line.become('cut');
	await ben.barIs('waiting');
	await act(ben, 'first text', 'Edit');
	await ben.types('second text');
	await ben.page.getByText('The server does not answer.').waitFor();
	assert.equal(await ben.text.inputValue(), 'second text');
	world.line.become('open');
	await ben.isBack();
	await ben.barIs('online');
	await ben.text.press('Enter');
	await anna.sees('second text');
	assert.equal(await ben.own.count(), 1, 'an edit, no other message');
	// Refused: it was deleted meanwhile.
	await act(ben, 'second text', 'Edit');
	await act(anna, 'second text', 'Delete');
	await anna.press('OK', anna.dialog);
	await ben.log.getByText('⁨Anna⁩ deleted 1').waitFor();
	await ben.types('third text');
	await ben.page.locator('#toast').filter({ hasText: /\S/ }).waitFor();
	assert.equal(await ben.text.inputValue(), 'third text');
	assert.deepEqual(await anna.messages(), []);
});

promise('what is refused is said in the language of the page', async (world) => {
	const anna = await world.teacher('Anna', 'Physics', { locale: 'zh-CN' });
	const toast = anna.page.locator('#toast');
	await anna.barIs('online');
	await anna.page.locator('[data-act=more]').click();
	await anna.page.locator('[data-act=settings]').click();
	await anna.page.locator('#rename').fill('x'.repeat(65));
	await anna.page.locator('#rename').press('Enter');
	await toast.getByText('房间名称过长：应为 1 到 64 个字符').waitFor();
	await anna.page.keyboard.press('Escape');
	await anna.says('first text');
	await anna.rows.locator('[data-act=actions]').click();
	// Another tab deletes it before the edit is sent.
	const other = await world.tab(anna.page.context());
	await other.page.goto(anna.page.url());
	await other.sees('first text');
	await anna.page.locator('[data-act=edit]').click();
	await other.rows.locator('[data-act=actions]').click();
	await other.page.locator('[data-act=delete]').click();
	await other.page.locator('[data-act=yes]').click();
	await anna.log.getByText('已删除 1 条').waitFor();
	await anna.types('second text');
	await toast.getByText('消息不存在或已被删除').waitFor();
});

promise('half a character is sent as a sign of its own, and stops nothing', async (world) => {
	const anna = await world.teacher('Anna');
	await anna.says('cut \ud83d here');
	await anna.says('and on');
	await anna.page.reload();
	await anna.sees('and on');
	assert.deepEqual(await anna.messages(), ['cut \ufffd here', 'and on']);
	await act(anna, 'and on', 'Edit');
	await anna.text.fill('and \ud83d on');
	await anna.text.press('Enter');
	await anna.sees('and \ufffd on');
	await anna.until(() => !document.querySelector('.context').textContent);
	assert.equal(await anna.text.inputValue(), '');
});

promise('the answer to an edit that is shown no more leaves the field alone, and an edit without a change is none', async (world) => {
	const anna = await world.teacher('Anna', 'Physics', { base: world.lineBase });
	const ben = await world.pupil(anna, 'Ben');
	await anna.says('one');
	await anna.says('two');
	await act(anna, 'two', 'Edit');
	await anna.text.press('Enter');
	await anna.until(() => !document.querySelector('.context').textContent);
	await act(anna, 'one', 'Edit');
	await anna.text.fill('uno');
	await anna.page.evaluate(() => {
		const { prototype } = WebSocket;
		const { send } = prototype;
		prototype.send = function (frame) {
			if (JSON.parse(frame).type !== 'edit') return send.call(this, frame);
			window.held = () => send.call(this, frame);
		};
	});
	await anna.text.press('Enter');
	await anna.press('Close', anna.page.locator('.context'));
	await anna.says('three');
	await anna.text.fill('half a thou');
	await anna.page.evaluate(() => window.held());
	await ben.sees('uno');
	await anna.until(() => !document.querySelector('.context').textContent);
	assert.equal(await anna.text.inputValue(), 'half a thou');
	assert.equal(await ben.rows.filter({ hasText: 'two' }).getByText('edited').count(), 0);
	assert.equal(await ben.rows.filter({ hasText: 'uno' }).getByText('edited').count(), 1);
});

promise('days are divided in the order of the messages, whatever the clocks say', async (world) => {
	const anna = await world.teacher('Anna');
	for (const text of ['one', 'two', 'three']) await anna.says(text);
	const set = (days) => anna.page.evaluate(async (days) => {
		const { room, view } = await import('/page/sync.js');
		const it = room(Number(location.hash.match(/\d+/)[0]));
		it.entries.filter((e) => e.text).forEach((e, i) => { e.sent = Date.now() + 864e5 * days[i]; });
		view.changed();
	}, days);
	const order = () => anna.log.locator('.text, .day').evaluateAll((all) => all.map((el) => el.firstChild.textContent));
	await set([0, -1, 0]);
	await anna.until(() => document.querySelectorAll('.day').length === 3);
	assert.deepEqual(await order(), ['Today', 'one', 'Yesterday', 'two', 'Today', 'three']);
	await anna.says('four');
	await set([0, 0, 0, 1]);
	await anna.until(() => document.querySelectorAll('.day').length === 2);
	const [first, one, two, three, next, four] = await order();
	assert.deepEqual([first, one, two, three, four], ['Today', 'one', 'two', 'three', 'four']);
	assert.match(next, /\d{4}/, 'a day to come has its date');
});

promise('a draft of many lines leaves the newest message in view, and what comes is read out', async (world) => {
	const anna = await world.teacher('Anna');
	const ben = await world.pupil(anna, 'Ben', PHONE);
	for (let i = 0; i < 12; i++) await anna.says(`line ${i}\n`.repeat(3));
	await ben.sees('line 11');
	await ben.text.pressSequentially('a\nb\nc\nd\ne\nf');
	await anna.says('look up');
	await ben.page.getByText('look up').waitFor();
	await ben.until(() => {
		const box = document.querySelector('#messages');
		return box.scrollHeight - box.scrollTop - box.clientHeight < 2 && box.getAttribute('aria-live') === 'polite';
	});
});

promise('turning the phone keeps the place', NO_LIMITS, async (world) => {
	const anna = await world.teacher('Anna');
	await world.crowd(anna, 120, (i) => `message ${i} ` + 'lorem ipsum '.repeat((i * 7) % 12));
	const ben = await world.pupil(anna, 'Ben', PHONE);
	await ben.sees('message 119');
	await eventually('further up', async () => await ben.page.getByRole('button', { name: /↓/ }).isVisible()
		|| ben.page.evaluate(() => { document.querySelector('#messages').scrollTop = 600; }));
	await ben.isDrawn();
	const first = () => ben.page.evaluate(() => {
		const top = document.querySelector('#messages').getBoundingClientRect().top;
		return [...document.querySelectorAll('.row')].find((el) => el.getBoundingClientRect().bottom > top + 1).textContent.match(/message (\d+)/)[1];
	});
	const inView = (number) => ben.page.evaluate((number) => {
		const list = document.querySelector('#messages').getBoundingClientRect();
		const row = [...document.querySelectorAll('.row')].find((el) => el.textContent.includes(`message ${number} `));
		return row && row.getBoundingClientRect().bottom > list.top && row.getBoundingClientRect().top < list.bottom;
	}, number);
	const before = await first();
	for (const [width, height] of [[740, 360], [360, 740]]) {
		await ben.page.setViewportSize({ width, height });
		await ben.until((width) => document.querySelector('#messages').clientWidth <= width && innerWidth === width, width);
		await ben.isDrawn();
		assert.ok(await inView(before), `${before} is still in view`);
	}
});
