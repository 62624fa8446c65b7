"""Papers to print and packages to hand over: what officers sign, file and give out, from facts alone.

One model (:mod:`~bwcdock.papers.model`), two renderers of it (:mod:`~bwcdock.papers.html`,
:mod:`~bwcdock.papers.pdf`), one builder a paper. To add a paper:

1. write ``papers/<kind>.py`` with a function ``build(source, asked) -> Paper``. It asks ``source.ledger`` (and the rule
   pack in ``source.pack``) and nothing else: no clock, no disk, no settings. The same facts give the same paper.
   ``asked.subjects`` are the words after the kind on the command line, ``asked.fields`` what was given by ``--field``;
   a subject that is not there is a ``Misused`` that says how to find it.
2. give every fact it rests on to ``source.proof(entries, rules)``: the footnote then names them by number under the
   newest signed head, with each article and its words;
3. leave what no fact knows as a :class:`~bwcdock.papers.model.Field` without a value: both renderers print a line to
   write on. Never guess; what may help goes into the field's ``note``;
4. add one line to ``KINDS`` in :mod:`~bwcdock.papers.registry`. ``bwcdock paper`` then knows it;
5. test the model's values, and look once at the printed page.

Values may come from anyone (a card, a form): builders pass them on as they are, the renderers make them harmless.
"""
