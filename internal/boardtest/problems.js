// Checks of the page that it is loaded into; problems.go calls them.
window.boardtest = (() => {
  const name = (e) => {
    const text = (e.getAttribute('aria-label') || e.innerText || e.value || '').trim().slice(0, 40)
    return `<${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''}${e.className && e.className.baseVal === undefined ? '.' + e.className.trim().replace(/\s+/g, '.') : ''}> "${text}"`
  }

  // Has the page stand still while it is looked at: no panel is fetched any more, and those that are on their way have come.
  const still = async () => {
    if (!window.htmx) return
    window.htmx.trigger = () => {}
    while (document.querySelector('.htmx-request')) await new Promise((done) => setTimeout(done, 20))
  }

  // WCAG 2.2 A and AA, and what axe-core recommends beyond.
  const axe = async () => {
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const result = await window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] })
    return result.violations.flatMap((v) => v.nodes.map((n) => `axe ${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`))
  }

  const wide = () => {
    const root = document.documentElement
    if (root.scrollWidth <= root.clientWidth) return []
    // Not what is in a box that scrolls by itself.
    const inBox = (e) => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true }
    const widest = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 && !inBox(e)).slice(-3)
    return [`wider than the window: ${root.scrollWidth} of ${root.clientWidth} pixels: ${widest.map(name).join(', ')}`]
  }

  const look = (e) => { const s = getComputedStyle(e); return [s.boxShadow, s.borderColor, s.backgroundColor, s.textDecoration].join() }
  let waiting, looks, lost, presses

  const controls = () => {
    const selector = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex], [contenteditable]'
    waiting = new Set([...document.querySelectorAll(selector)].filter((e) =>
      e.tabIndex >= 0 && !e.disabled && !e.closest('[inert]') && e.checkVisibility({ visibilityProperty: true })))
    looks = new Map([...waiting].map((e) => [e, look(e)]))
    lost = []
    presses = waiting.size + 20 // the browser's own stops and boxes that scroll come on top
    return waiting.size
  }

  // A part of it is enough (WCAG 2.4.11): the browser leaves what stands across the edge of a box that scrolls where it is.
  const points = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.9], [0.05, 0.5], [0.25, 0.5], [0.75, 0.5], [0.95, 0.5]]
  const seen = (e) => [...e.getClientRects()].some((r) => points.some(([x, y]) => {
    const hit = document.elementFromPoint(r.left + r.width * x, r.top + r.height * y)
    return hit && (e.contains(hit) || [...(e.labels ?? [])].some((l) => l.contains(hit)))
  }))
  const frame = () => new Promise(requestAnimationFrame)

  // Returns how many controls are left to be reached, 0 also when that takes too long.
  const focused = async () => {
    const e = document.activeElement
    if (waiting.delete(e)) {
      const s = getComputedStyle(e)
      const outlined = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 && !/, 0\)$|transparent/.test(s.outlineColor)
      if (!outlined && look(e) === looks.get(e)) lost.push(`focus is not seen: ${name(e)}`)
      for (const began = performance.now(); !seen(e) && performance.now() - began < 5000;) await frame() // until it has been scrolled to
      if (!seen(e)) {
        const r = e.getBoundingClientRect(), hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)
        lost.push(`what has the focus is hidden: ${name(e)}, at ${Math.round(r.left)},${Math.round(r.top)} of ${innerWidth}x${innerHeight}, by ${hit ? name(hit) : 'the edge'}`)
      }
      if (e.type === 'radio') for (const other of [...waiting]) if (other.type === 'radio' && other.name === e.name && other.form === e.form) waiting.delete(other)
    }
    return --presses > 0 ? waiting.size : 0
  }

  const unreached = () => lost.concat([...waiting].filter((e) => e.isConnected).map((e) => `the keyboard does not reach: ${name(e)}`))

  return { still, axe, wide, controls, focused, unreached }
})()
