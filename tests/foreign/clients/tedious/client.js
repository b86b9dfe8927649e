// tedious, TDS in JavaScript: what it is asked to do, told as one JSON line a feature: {feature, ok, detail}.
//
// Start at `main`, at the end. The features are those of python/features.py, by the same names; what is not here
// tedious cannot do, and the suite knows why. Nothing here decides what a client must be able to do.

'use strict'

const fs = require('node:fs')
const assert = require('node:assert/strict')
const { randomUUID } = require('node:crypto')
const { Connection, Request, TYPES } = require('tedious')

const config = JSON.parse(process.argv[2])
const LONG = "WAITFOR DELAY '00:01:00'"
const ENCRYPT = { off: false, on: true, strict: 'strict' }

// An error of the server: [number, text] of each, in order.
class Refused extends Error {
  constructor(errors) {
    super(JSON.stringify(errors))
    this.errors = errors
  }
}

class Session {
  static open(wish = {}) {
    const { host = 'login-only', encryption = 'on', authority = config.authority } = wish
    const connection = new Connection({
      server: '127.0.0.1',
      authentication: {
        type: 'default',
        options: { userName: config.user, password: wish.password ?? config.password }
      },
      options: {
        port: config.hosts[host],
        database: wish.database ?? config.database,
        encrypt: ENCRYPT[encryption],
        serverName: 'localhost',
        cryptoCredentialsDetails: { ca: fs.readFileSync(authority) },
        packetSize: wish.packetBytes ?? 4096,
        connectTimeout: 20000,
        requestTimeout: 0,
        // Times of day are shown as they were written.
        useUTC: true
      }
    })
    return new Promise((resolve, reject) => {
      const heard = []
      connection.on('errorMessage', (told) => heard.push([told.number, told.message]))
      connection.on('error', () => {})
      connection.connect((error) => {
        if (error) reject(new Refused(heard.length ? heard : [[null, String(error)]]))
        else resolve(new Session(connection))
      })
    })
  }

  constructor(connection) {
    this.connection = connection
  }

  // The rows of the last result set. `how` sends the request; `prepare` may add to it before.
  ask(sql, how, prepare = () => {}) {
    return new Promise((resolve, reject) => {
      const heard = []
      const hear = (told) => heard.push([told.number, told.message])
      let rows = []
      const request = new Request(sql, (error) => {
        this.connection.removeListener('errorMessage', hear)
        if (error) reject(new Refused(heard.length ? heard : [[null, String(error)]]))
        else resolve(rows)
      })
      request.on('columnMetadata', () => { rows = [] })
      request.on('row', (cells) => rows.push(cells.map((cell) => cell.value)))
      prepare(request)
      this.connection.on('errorMessage', hear)
      how(request)
    })
  }

  run(sql) {
    return this.ask(sql, (request) => this.connection.execSqlBatch(request))
  }

  withParameter(sql, type, value, options) {
    return this.ask(sql, (request) => this.connection.execSql(request), (request) => {
      request.addParameter('value', type, value, options)
    })
  }

  act(name) {
    return new Promise((resolve, reject) => {
      this.connection[name]((error) => (error ? reject(error) : resolve()))
    })
  }

  async spid() {
    return (await this.run('SELECT @@SPID'))[0][0]
  }

  close() {
    this.connection.close()
  }
}

async function isEncrypted(expected, wish) {
  const session = await Session.open(wish)
  const question = 'SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID'
  assert.equal((await session.run(question))[0][0], expected)
  session.close()
}

async function isRefused(wish) {
  let session
  try {
    session = await Session.open(wish)
    await session.run('SELECT 1')
  } catch (error) {
    return error
  }
  session.close()
  throw new Error('it was let in')
}

async function fails(session, sql) {
  try {
    await session.run(sql)
  } catch (error) {
    return error.errors
  }
  throw new Error(`${sql} did not fail`)
}

async function waitUntilItRuns(spid, host) {
  const other = await Session.open({ host })
  const question = `SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = ${spid}`
  while ((await other.run(question))[0][0] === 0);
  other.close()
}

// A value as every client's suite writes it; JavaScript has one type for all that has to do with time.
function shown(type, value) {
  const base = type.split('(')[0]
  if (value === null) return 'NULL'
  if (typeof value === 'boolean') return String(Number(value))
  if (Buffer.isBuffer(value)) return '0x' + value.toString('hex').toUpperCase()
  if (value instanceof Date) {
    const [day, time] = value.toISOString().split(/[TZ]/)
    if (base === 'date') return day
    if (base === 'time') return time
    return `${day} ${time}${base === 'datetimeoffset' ? 'Z' : ''}`
  }
  return String(value)
}

// tedious's type of that name, the value that `shown` would write so, and the length or precision.
function native(type, text) {
  const [base, first, second] = type.split(/[(),]/)
  const name = Object.keys(TYPES).find((name) => name.toLowerCase() === base) ?? 'NVarChar'
  const sizes = {
    decimal: { precision: Number(first), scale: Number(second) },
    time: { scale: Number(first) },
    datetime2: { scale: Number(first) },
    datetimeoffset: { scale: Number(first) }
  }
  const length = first === 'max' ? Infinity : Number(first)
  const options = sizes[base] ?? (first ? { length } : {})
  if (text === null) return [TYPES[name], null, options]
  switch (base) {
    case 'bit': case 'tinyint': case 'smallint': case 'int':
    case 'real': case 'float': case 'decimal': case 'money': case 'smallmoney':
      return [TYPES[name], Number(text), options]
    case 'bigint':
      return [TYPES[name], BigInt(text), options]
    case 'binary': case 'varbinary':
      return [TYPES[name], Buffer.from(text.slice(2), 'hex'), options]
    case 'date':
      return [TYPES[name], new Date(`${text}T00:00:00Z`), options]
    case 'time':
      return [TYPES[name], new Date(`1970-01-01T${text}Z`), options]
    case 'datetime': case 'smalldatetime': case 'datetime2': case 'datetimeoffset':
      return [TYPES[name], new Date(text.replace(' ', 'T').replace(/Z?$/, 'Z')), options]
    default:
      return [TYPES[name], text, options]
  }
}

async function cancelAt(host) {
  const session = await Session.open({ host })
  const spid = await session.spid()
  const running = session.run(LONG)
  const ended = assert.rejects(running)
  await waitUntilItRuns(spid, host)
  session.connection.cancel()
  await ended
  for (const number of [7, 8, 9]) assert.equal((await session.run(`SELECT ${number}`))[0][0], number)
  assert.equal(await session.spid(), spid)
  session.close()
}

async function endTransaction(end, rows) {
  const session = await Session.open()
  const other = await Session.open()
  const word = randomUUID()
  await session.act('beginTransaction')
  await session.run(`INSERT INTO dbo.Kept (word) VALUES ('${word}')`)
  await session.act(end)
  const found = await other.run(`SELECT COUNT(*) FROM dbo.Kept WHERE word = '${word}'`)
  assert.equal(found[0][0], rows)
  session.close()
  other.close()
}

async function twoErrors() {
  const session = await Session.open()
  const errors = await fails(session, "BACKUP LOG model TO DISK = N'never.trn'")
  assert.equal((await session.run('SELECT 7'))[0][0], 7)
  session.close()
  return errors.map(([number]) => number)
}

const features = {
  login_off: () => isEncrypted('FALSE', { host: 'never', encryption: 'off' }),

  async login_on() {
    for (const host of ['login-only', 'required']) await isEncrypted('TRUE', { host, encryption: 'on' })
  },

  login_strict: () => isEncrypted('TRUE', { host: 'strict', encryption: 'strict' }),

  distrust: () => isRefused({ host: 'required', authority: config.stranger }),

  never_in_clear: () => isRefused({ host: 'never', encryption: 'on' }),

  async packet_sizes() {
    const text = '0123456789abcdeü'.repeat(2000)
    for (const size of [512, 32767]) {
      const session = await Session.open({ host: 'never', encryption: 'off', packetBytes: size })
      const question = 'SELECT net_packet_size FROM sys.dm_exec_connections WHERE session_id = @@SPID'
      assert.equal((await session.run(question))[0][0], size)
      assert.equal((await session.run(`SELECT CAST(N'${text}' AS nvarchar(max))`))[0][0], text)
      session.close()
    }
  },

  async query() {
    const session = await Session.open()
    assert.deepEqual((await session.run("SELECT N'Zoë 🦀' AS who, 7 AS n, NULL AS nothing"))[0], ['Zoë 🦀', 7, null])
    const rows = await session.run('SELECT id, word FROM dbo.Words ORDER BY id')
    assert.deepEqual(rows, Array.from({ length: 300 }, (_, at) => [at + 1, 'é'.repeat(200)]))
    session.close()
  },

  async columns() {
    const session = await Session.open()
    for (const [type, literal, expected] of config.values) {
      const [row] = await session.run(`SELECT CAST(${literal} AS ${type}), CAST(NULL AS ${type})`)
      assert.deepEqual([type, shown(type, row[0]), row[1]], [type, expected, null])
    }
    session.close()
  },

  async parameters() {
    const session = await Session.open()
    for (const [type, , expected] of config.values) {
      for (const text of [expected, null]) {
        const rows = await session.withParameter(`SELECT CAST(@value AS ${type})`, ...native(type, text))
        assert.deepEqual([type, shown(type, rows[0][0])], [type, text ?? 'NULL'])
      }
    }
    session.close()
  },

  async prepared() {
    const session = await Session.open()
    const { connection } = session
    let end
    const request = new Request('SELECT 2 * @value', (error) => end(error))
    request.addParameter('value', TYPES.Int)
    let cell
    request.on('row', (cells) => { cell = cells[0].value })
    const phase = (event, act) => new Promise((resolve, reject) => {
      end = (error) => (error ? reject(error) : resolve())
      if (event) request.once(event, resolve)
      act()
    })
    await phase('prepared', () => connection.prepare(request))
    for (const value of [3, 4, 5]) {
      await phase(null, () => connection.execute(request, { value }))
      assert.equal(cell, 2 * value)
    }
    await phase(null, () => connection.unprepare(request))
    session.close()
  },

  async procedure() {
    const session = await Session.open()
    const returned = {}
    await session.ask('dbo.AddUp', (request) => session.connection.callProcedure(request), (request) => {
      request.addParameter('a', TYPES.Int, 2)
      request.addParameter('b', TYPES.Int, 5)
      request.addOutputParameter('sum', TYPES.Int)
      request.on('returnValue', (name, value) => { returned[name] = value })
      request.on('doneProc', (_count, _more, status) => { returned.status = status })
    })
    assert.deepEqual(returned, { sum: 7, status: 3 })
    session.close()
  },

  commit: () => endTransaction('commitTransaction', 1),

  rollback: () => endTransaction('rollbackTransaction', 0),

  async first_error() {
    assert.equal((await twoErrors())[0], 4214)
  },

  async both_errors() {
    assert.deepEqual(await twoErrors(), [4214, 3013])
  },

  async information() {
    const session = await Session.open()
    const heard = []
    session.connection.on('infoMessage', (told) => heard.push(told.message))
    const rows = await session.run("RAISERROR(N'ten is %d', 10, 1, 10); SELECT 7")
    assert.deepEqual(rows, [[7]])
    assert.ok(heard.includes('ten is 10'), heard.join())
    session.close()
  },

  cancel: () => cancelAt('login-only'),

  cancel_in_one_message: () => cancelAt('one-message'),

  async reset() {
    const session = await Session.open()
    const spid = await session.spid()
    await session.run('CREATE TABLE #Mine (id int); USE master')
    await session.act('reset')
    assert.equal(await session.spid(), spid)
    const rows = await session.run("SELECT DB_NAME(), OBJECT_ID('tempdb..#Mine')")
    assert.deepEqual(rows, [[config.database, null]])
    session.close()
  },

  async live_progress() {
    const session = await Session.open()
    let telling
    session.connection.on('infoMessage', (told) => {
      if (!told.message.includes('percent processed')) return
      telling ??= Session.open().then(async (other) => {
        await other.run("INSERT INTO dbo.Kept (word) VALUES ('seen')")
        other.close()
      })
    })
    // The batch ends well only if its progress was seen while it ran.
    assert.deepEqual(await session.run(config.backup), [[1]])
    await telling
    session.close()
  },

  async mark() {
    const session = await Session.open()
    const name = 'M_' + randomUUID().replaceAll('-', '').slice(0, 20)
    await session.run(`
      BEGIN TRANSACTION ${name} WITH MARK N'from ${config.database}';
      INSERT INTO dbo.Kept (word) VALUES ('marked');
      COMMIT TRANSACTION ${name}`)
    const rows = await session.run(
      `SELECT database_name, description FROM msdb.dbo.logmarkhistory WHERE mark_name = '${name}'`)
    assert.deepEqual(rows, [[config.database, `from ${config.database}`]])
    session.close()
  },

  async wrong_password() {
    const { errors } = await isRefused({ password: 'wrong' })
    assert.equal(errors[0][0], 18456)
  },

  async unknown_database() {
    const { errors } = await isRefused({ database: 'nowhere' })
    assert.deepEqual(errors.map(([number]) => number), [4060, 18456])
  },

  async unknown_procedure() {
    const session = await Session.open()
    assert.equal((await fails(session, 'EXEC dbo.Nowhere 1'))[0][0], 2812)
    assert.equal((await session.run('SELECT 7'))[0][0], 7)
    session.close()
  },

  async killed() {
    const session = await Session.open()
    const other = await Session.open()
    const spid = await session.spid()
    const ended = assert.rejects(session.run(LONG))
    await waitUntilItRuns(spid)
    await other.run(`KILL ${spid}`)
    await ended
    await assert.rejects(session.run('SELECT 1'))
    assert.equal((await other.run('SELECT 7'))[0][0], 7)
    other.close()
  }
}

async function main() {
  for (const feature of config.features) {
    if (!(feature in features)) continue
    let told = { feature, ok: true, detail: '' }
    try {
      await features[feature]()
    } catch (error) {
      told = { feature, ok: false, detail: String(error.stack ?? error) }
    }
    process.stdout.write(JSON.stringify(told) + '\n')
  }
  process.exit(0)
}

main()
