import { appendFileSync, existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { makeFolder, readPlainFile, replaceFile } from '../files.ts';
import { takeLock } from '../lock.ts';
import { differences } from '../train/differences.ts';
import { anyNumber, firstFault, toJson } from '../train/json-numbers.ts';
