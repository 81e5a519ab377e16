/**
 * A span for each request, part of the caller's trace, where an OpenTelemetry SDK runs in this process; without one it costs
 * next to nothing. The trace is stored with the operation in any case, by its `traceparent`.
 */
import {
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import { pathOf } from './request-path.ts'
import type { ServerPlugin } from './server.ts'

const SERVER_ERROR = 500
const TRACER = 'verdict'

export const traces: ServerPlugin = (app, { host, nameOf, endpointOf }) => {
  const tracer = trace.getTracer(TRACER, host.version)
  const spans = new WeakMap<FastifyRequest, Span>()
  app.addHook('onRequest', (request, _reply, done) => {
    if (isUntraced()) return done()
    const caller = propagation.extract(context.active(), request.headers)
    const attributes = { 'http.request.method': request.method, 'url.path': pathOf(request) }
    const span = tracer.startSpan(request.method, { kind: SpanKind.SERVER, attributes }, caller)
    if (span.isRecording()) spans.set(request, span)
    context.with(trace.setSpan(caller, span), done)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request)
    if (span === undefined) return done()
    const endpoint = endpointOf(request)
    const actor = nameOf(request)
    if (endpoint !== undefined) span.updateName(endpoint.id).setAttribute('http.route', endpoint.path)
    if (actor !== undefined) span.setAttribute('enduser.id', actor)
    span.setAttributes({ 'http.response.status_code': reply.statusCode, 'verdict.request_id': request.id })
    if (reply.statusCode >= SERVER_ERROR) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    done()
  })
}

/** No SDK has put itself behind the API, so far. */
function isUntraced(): boolean {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider && provider.getDelegateTracer(TRACER) === undefined
}
