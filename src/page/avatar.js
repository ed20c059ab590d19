// Fifty faces, drawn from `avatarIndex`: three animals, each in a colour of its own.

function svg(tag, attributes, ...children) {
	const el = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const key in attributes) el.setAttribute(key, attributes[key]);
	el.append(...children);
	return el;
}

/** The left ear of cat, bear and rabbit. */
const EARS = ['M9 27 11 7l13 10z', 'M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M13 24C6 4 14-1 18 4s4 12 4 18z'];

export function avatar(index = 0) {
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map((c) => `hsl(${index * 47},${c})`);
	const path = (d, fill) => svg('path', { d, fill });
	const dot = (cx, cy, r, fill) => svg('circle', { cx, cy, r, fill });
	const both = (half) => ['', 'matrix(-1 0 0 1 48 0)'].map((transform) => svg('g', { transform }, ...half()));
	return svg('svg', { viewBox: '0 0 48 48', class: 'avatar', 'aria-hidden': true }, path('M0 0h48v48H0z', light),
		...both(() => [path(EARS[index % 3], fur)]), svg('ellipse', { cx: 24, cy: 31, rx: 16, ry: 14, fill: fur }),
		...both(() => [dot(17.5, 28, 2.3, dark), dot(13, 34, 2.3, '#ef7d86')]),
		svg('path', { d: 'M23 32h2M20 35.5q2 2 4 0q2 2 4 0', fill: 'none', stroke: dark, 'stroke-width': 1.8, 'stroke-linecap': 'round' }));
}
