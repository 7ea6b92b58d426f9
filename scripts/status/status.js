// SPDX-License-Identifier: GPL-2.0
// Shows status.json. All text gets into the page as text, never as HTML: names come from others.
'use strict';

const EVERY = 2000; // ms
const STALE = 15; // seconds, after which `watch` is taken for dead
const COLUMNS = ['packets', 'bytes', 'flows', 'packets_per_second', 'bytes_per_second'];
const TITLES = { packets_per_second: 'packets/s', bytes_per_second: 'bit/s' };

const at = (id) => document.getElementById(id);

function element(name, text, className)
{
	const made = document.createElement(name);

	if (text !== undefined)
		made.textContent = text;
	if (className)
		made.className = className;
	return made;
}

// 12,345,678, whatever the reader's language
const counted = (number) => Math.round(number).toLocaleString('en-US');

function scaled(number, unit)
{
	const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];
	let i = 0;

	while (number >= 1000 && i < prefixes.length - 1) {
		number /= 1000;
		i++;
	}
	return `${i && number < 100 ? number.toFixed(1) : Math.round(number)} ${prefixes[i]}${unit}`;
}

function shown(column, value)
{
	if (column === 'bytes')
		return scaled(value, 'B');
	if (column === 'bytes_per_second')
		return scaled(8 * value, '');
	return counted(value);
}

// A cell with a number, whose exact value is in `data-value`.
function cell(column, value)
{
	const made = element('td', value === undefined ? '' : shown(column, value), 'number ' + column);

	made.dataset.name = TITLES[column] || column;
	if (value !== undefined) {
		made.dataset.value = value;
		made.title = counted(value);
	}
	return made;
}

function badge(word, kind)
{
	return element('span', word, 'badge ' + (kind || word));
}

function name_of(backend)
{
	if (!backend.port)
		return backend.address;
	return backend.address.includes(':') ? `[${backend.address}]:${backend.port}` :
					       `${backend.address}:${backend.port}`;
}

// The entry of a list that is of the same service, or backend.
function find_service(list, vip)
{
	return ((list && list.services) || []).find((service) => service.vip === vip);
}

function find_backend(service, backend)
{
	return ((service && service.backends) || []).find(
		(other) => other.address === backend.address && other.port === backend.port);
}

function find_check(status, vip, backend)
{
	return (status.checks || []).find((check) => check.vip === vip && check.backend &&
		check.backend.address === backend.address && check.backend.port === backend.port);
}

// State, health, and what is left of a drain.
function state_cell(backend, check)
{
	const made = element('td');

	made.append(badge(backend.state), ' ');
	if (backend.health && backend.health !== 'unknown')
		made.append(badge(backend.health), ' ');
	if (backend.backup)
		made.append(badge('backup'), ' ');
	if (!backend.mac)
		made.append(badge('not resolved', 'failing'), ' ');
	if (backend.state === 'draining' && backend.flows_left !== undefined)
		made.append(element('span', `${counted(backend.flows_left)} flows, ` +
			`${counted(backend.slots_left)} slots left`, 'detail'));
	if (check && check.reason)
		made.append(element('span', check.reason, 'detail reason'));
	return made;
}

function head_row()
{
	const head = element('thead'), row = element('tr');

	for (const title of ['backend', 'state'])
		row.append(element('th', title));
	row.append(element('th', 'weight', 'number'));
	for (const column of COLUMNS)
		row.append(element('th', TITLES[column] || column, 'number'));
	head.append(row);
	return head;
}

function backend_row(status, service, backend)
{
	const counts = find_backend(find_service(status.stats, service.vip), backend) || {};
	const rates = find_backend(find_service(status.rates, service.vip), backend) || {};
	const row = element('tr', undefined, 'backend');

	row.dataset.backend = name_of(backend);
	row.append(element('td', name_of(backend)),
		   state_cell(backend, find_check(status, service.vip, backend)),
		   cell('weight', backend.weight));
	for (const column of COLUMNS)
		row.append(cell(column, column in counts ? counts[column] : rates[column]));
	return row;
}

function sum_row(status, service)
{
	const counts = find_service(status.stats, service.vip) || {};
	const rates = find_service(status.rates, service.vip) || {};
	const row = element('tr', undefined, 'sum');

	row.append(element('td', 'all'), element('td'), element('td'));
	for (const column of COLUMNS)
		row.append(cell(column, column in counts ? counts[column] : rates[column]));
	return row;
}

// What was refused, by reason.
function refusals(status, service)
{
	const counts = find_service(status.stats, service.vip);

	return ((counts && counts.verdicts) || [])
		.filter((verdict) => verdict.packets && verdict.reason !== 'forwarded')
		.map((verdict) => `${verdict.reason} ${counted(verdict.packets)}`).join(', ');
}

function service_section(status, service)
{
	const section = element('section', undefined, 'service');
	const title = element('h2', service.vip + ' ');
	const table = element('table'), body = element('tbody');
	const refused = refusals(status, service);

	section.dataset.vip = service.vip;
	title.append(element('small', ['mode ' + service.mode, service.pick && 'pick ' + service.pick,
		'hash ' + service.hash, service.panic && 'PANIC: checks are not believed']
		.filter(Boolean).join(', ')));
	for (const backend of service.backends)
		body.append(backend_row(status, service, backend));
	body.append(sum_row(status, service));
	table.append(head_row(), body);
	section.append(title, table);
	if (refused)
		section.append(element('p', 'not forwarded: ' + refused, 'detail refused'));
	return section;
}

function is_up(backend)
{
	return backend.state === 'up' && backend.health !== 'failing' && backend.mac;
}

function show_summary(status)
{
	const backends = status.services.flatMap((service) => service.backends);
	const rates = (status.rates && status.rates.verdicts) || [];
	const sum = (list, key) => list.reduce((total, entry) => total + (entry[key] || 0), 0);
	const drops = rates.filter((verdict) => verdict.action === 'drop');
	const values = [
		['services', counted(status.services.length)],
		['backends up', `${counted(backends.filter(is_up).length)} of ${counted(backends.length)}`],
		['flows', counted(status.flows)],
		['packets/s', counted(sum(rates, 'packets_per_second'))],
		['traffic', scaled(8 * sum(rates, 'bytes_per_second'), 'bit/s')],
		['dropped/s', counted(sum(drops, 'packets_per_second'))],
	];

	at('summary').replaceChildren(...values.map(([name, value]) => {
		const made = element('div');

		made.append(element('dt', name), element('dd', value));
		return made;
	}));
}

function show_doctor(status)
{
	const findings = status.doctor || [];

	at('doctor').hidden = !findings.length;
	at('doctor').querySelector('ul').replaceChildren(...findings.map((finding) => {
		const made = element('li');

		made.append(badge(finding.certainty || ''), ` ${finding.problem}: ${finding.cause} `,
			    element('code', finding.command));
		return made;
	}));
}

// Fills a table with the rows, and hides it without.
function show_rows(id, rows)
{
	at(id).hidden = !rows.length;
	at(id).querySelector('tbody').replaceChildren(...rows);
}

function show_transitions(status)
{
	show_rows('transitions', (status.transitions || []).map((transition) => {
		const row = element('tr');

		row.append(element('td', transition.vip), cell('slots_left', transition.slots_left),
			   cell('slots', transition.slots),
			   element('td', `${counted(transition.seconds_left)} s`, 'number'));
		return row;
	}));
}

// A row for each entry that counts something; its rate is at the same place of the other list.
function counted_rows(entries, rates, begin, columns)
{
	return entries.map((entry, i) => {
		const row = element('tr');

		row.dataset.reason = entry.reason || entry.cause;
		row.append(...begin(entry));
		for (const column of columns)
			row.append(cell(column, column in entry ? entry[column] : (rates[i] || {})[column]));
		return entry.packets ? row : null;
	}).filter(Boolean);
}

function show_packets(status)
{
	const rates = status.rates || {}, stats = status.stats || {};

	show_rows('verdicts', counted_rows(stats.verdicts || [], rates.verdicts || [],
		(entry) => {
			const action = element('td');

			action.append(badge(entry.action));
			return [action, element('td', entry.reason)];
		}, ['packets', 'bytes', 'packets_per_second']));
	show_rows('slow', counted_rows(stats.slow || [], rates.slow || [],
		(entry) => [element('td', entry.cause)], ['packets', 'packets_per_second']));
}

function show_balancer(status)
{
	const place = status.balancer;

	at('place').textContent = `on ${place.device || 'no device'}` +
		(place.netns ? ` in ${place.netns}` : '') + `, version ${status.version}`;
	at('configuration').textContent = status.fingerprint ? status.fingerprint.configuration : '';
	at('live').textContent = status.fingerprint ? status.fingerprint.live : '';
	show_summary(status);
	show_doctor(status);
	at('services').replaceChildren(
		...status.services.map((service) => service_section(status, service)));
	show_transitions(status);
	show_packets(status);
}

function clear_balancer()
{
	at('place').textContent = '';
	at('summary').replaceChildren();
	at('services').replaceChildren();
	for (const id of ['doctor', 'transitions', 'verdicts', 'slow'])
		at(id).hidden = true;
}

function show_notice(text)
{
	at('notice').textContent = text;
	at('notice').hidden = !text;
}

function show(status)
{
	const age = Math.max(0, Math.round(Date.now() / 1000 - status.time));

	at('age').textContent = `${counted(age)} s ago`;
	if (status.balancer)
		show_balancer(status);
	else
		clear_balancer();
	if (age > STALE)
		show_notice(`'xdp-lb watch' has said nothing for ${counted(age)} s: this is how it was then. ` +
			    'The balancer forwards all the same.');
	else
		show_notice(status.balancer ? '' : 'There is no balancer: it is attached to no device.');
}

async function update()
{
	try {
		const answer = await fetch('status.json', { cache: 'no-store' });

		if (!answer.ok)
			throw new Error(`${answer.status} ${answer.statusText}`);
		show(await answer.json());
	} catch (error) {
		show_notice(`status.json cannot be read (${error.message}): does 'xdp-lb watch' run?`);
	}
	document.documentElement.dataset.ready = 'yes';
	setTimeout(update, EVERY);
}

update();
