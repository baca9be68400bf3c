import type { Asker } from '../../master/operator.ts';
import type { BuildView } from '../../master/views/build.ts';
import type { StatusView } from '../../master/views/master.ts';
import type { RequestView } from '../../master/views/request.ts';
import type { WorkerView } from '../../master/views/worker.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { page } from './page.ts';

/** What runs, what waits and why, and the workers. */
export function statusPage(asker: Asker, status: StatusView, workers: readonly WorkerView[]): string {
  const { connected, configured } = status.workers;
  return page(
    status.title,
    html`<header>
        <h1>${status.title}</h1>
        <div>
          ${asker.name}, ${asker.role}
          <form method="post" action="/logout"><button>Sign out</button></form>
        </div>
      </header>
      <p>${connected} of ${configured} workers connected</p>
      <h2>Running</h2>
      ${running(status.running)}
      <h2>Waiting</h2>
      ${waiting(status.waiting)}
      <h2>Workers</h2>
      ${workerTable(workers)}`,
  );
}

function running(builds: readonly BuildView[]): Html {
  if (builds.length === 0) return html`<p>Nothing runs.</p>`;
  return table(
    ['Id', 'Build', 'Worker', 'Source', 'Since'],
    builds.map((build) => [
      html`${build.id}`,
      html`${build.project}/${build.builder}#${build.number}`,
      html`${build.worker}`,
      html`${[build.branch, build.revision?.slice(0, 12), build.patch && '+ patch'].filter((part) => part).join(' ') || '-'}`,
      moment(build.startedAtMs),
    ]),
  );
}

function waiting(requests: readonly RequestView[]): Html {
  if (requests.length === 0) return html`<p>Nothing waits.</p>`;
  return table(
    ['Request', 'Builder', 'Asked by', 'Since', 'Why'],
    requests.map((request) => [
      html`${request.id}`,
      html`${request.project}/${request.builder}`,
      html`${request.owner}`,
      moment(request.submittedAtMs),
      html`${request.waitsFor}`,
    ]),
  );
}

function workerTable(workers: readonly WorkerView[]): Html {
  if (workers.length === 0) return html`<p>No workers yet.</p>`;
  return table(
    ['Worker', 'State', 'Since', 'Builds', 'Notes'],
    workers.map((worker) => [
      html`${worker.name}`,
      html`${[worker.state, worker.hold?.kind, !worker.isConfigured && 'not in the configuration'].filter((part) => part).join(', ')}`,
      worker.sinceMs === null ? html`-` : moment(worker.sinceMs),
      html`${worker.builds.length} of ${worker.maxBuilds}`,
      html`${[worker.held, worker.heldBack].filter((note) => note).join('; ') || '-'}`,
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly Html[])[]): Html {
  return html`<table>
    <thead>
      <tr>
        ${head.map((cell) => html`<th scope="col">${cell}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr>
            ${row.map((cell, index) => html`<td data-label="${head[index] ?? ''}">${cell}</td>`)}
          </tr> `,
      )}
    </tbody>
  </table>`;
}

function moment(ms: number): Html {
  const iso = new Date(ms).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}
