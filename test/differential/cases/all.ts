// Every area, in the order of the checklist.

import type { Area } from '../step.ts';
import { apply, managedFields } from './apply.ts';
import { auth } from './auth.ts';
import { create } from './create.ts';
import { deletes, namespaces } from './deletes.ts';
import { discovery } from './discovery.ts';
import { config, events, leasesAndViews } from './others.ts';
import { jsonPatch, mergePatch, strategicPatch } from './patches.ts';
import { kubectlApply, kubectlRead, kubectlWrite } from './kubectl.ts';
import { lists, negotiation, tables } from './read.ts';
import { reviewsAndImpersonation } from './reviews.ts';
import { rights } from './rights.ts';
import { defaults, validation } from './services.ts';
import { transitions, update } from './update.ts';
import { watches } from './watches.ts';

export const areas: readonly Area[] = [
  discovery,
  create,
  defaults,
  validation,
  negotiation,
  tables,
  lists,
  watches,
  update,
  transitions,
  jsonPatch,
  mergePatch,
  strategicPatch,
  apply,
  managedFields,
  deletes,
  namespaces,
  events,
  config,
  leasesAndViews,
  auth,
  rights,
  reviewsAndImpersonation,
  kubectlRead,
  kubectlWrite,
  kubectlApply,
];
