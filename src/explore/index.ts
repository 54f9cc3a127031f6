export { Engine } from './engine.js';
export { drive, driveAsync, exploring, type Model, randomising, replaying } from './explorer.js';
export { createModelFabric, createObserverFabric } from './fabric.js';
export {
  History,
  isLinearizable,
  type Operation,
  printHistory,
  type Specification,
} from './history.js';
export {
  createTools,
  explore,
  exploreAsync,
  type ModelMemory,
  randomise,
  randomiseAsync,
  replay,
  replayAsync,
  type Scenario,
  type ThreadTools,
} from './model.js';
export type { ModelThread } from './model-thread.js';
export type { FailureKind, Step } from './rules.js';
export {
  type AllowedRace,
  type Failure,
  type KillOptions,
  type Outcome,
  type Position,
  type PruneOptions,
  printTrace,
  type RandomOptions,
  type Report,
  rulesOf,
  type ScenarioOptions,
} from './scenario.js';
export { printSchedule, readSchedule, type Turn } from './schedule.js';
export {
  poolSpecification,
  queueSpecification,
  referenceSpecification,
  registerSpecification,
  semaphoreSpecification,
} from './specifications.js';
