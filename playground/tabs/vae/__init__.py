"""The tab of the variational autoencoder: one image, and every view of what the model makes of it."""

from contextlib import suppress
from dataclasses import astuple, replace
from functools import partial

import gradio as gr

from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs import Tab
from playground.tabs.vae import betas, codes, elbo_terms, gradients, interpolate, latent_map, nearest, save, traverse
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import ViewParams
from playground.tabs.vae.session import FIRST, MOVABLE, UNOPENED, Session, code_js, read_code
from playground.web import controls, image_picker, links, plots
from playground.web.component import Value
from playground.web.controls import Control, ControlValue, EventSettings, error_sentence, user_errors_to_gradio
from playground.web.header import GuideStep
from playground.web.view import View

SUMMARY = "A variational autoencoder squeezes an image into a few numbers, its code z, and draws it again from them."
VIEWS = {"traverse": traverse.VIEW, "map": latent_map.VIEW, "interpolate": interpolate.VIEW, "beta": betas.VIEW,
         "elbo": elbo_terms.VIEW, "gradients": gradients.VIEW, "nearest": nearest.VIEW}  # fmt: skip


class VAETab(View):
    """Exchange between the controls and the views: each view is filled when it is seen, and kept while it holds."""

    TITLE = "VAE"

    def __init__(self, paths: Paths):
        self.paths, self.session = paths, gr.State(Session())
        self.tabs: dict[str, gr.Tab] = {}  # of the views by name
        self.components: dict[str, list[Control]] = {}  # that each view fills
        self.own_controls: list[Control] = []  # of single views
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.model = codes.CHECKPOINTS.build(
                    paths, info="What it learned from, and how many numbers its code has."
                )
                self.image = image_picker.build(
                    "vae",
                    codes.KINDS,
                    "The picture to encode, or a random code to decode.",
                    partial(codes.CHECKPOINTS.dataset, paths),
                    [self.model],
                )
                self.seed, self.new_seed = controls.seed("The same seed gives the same code from the prior.")
            with controls.stage_column():
                self.notice = gr.HTML(visible=False)  # what is wrong with the address
                self._build_views()
                self.command, self.link = save.build(paths, self.session), links.build()
        self.inputs = [self.model, *self.image.inputs, self.seed, *self.own_controls]  # in the order of `Choice`
        shared = [self.notice, self.link, self.command]
        self.outputs = [*shared, *(part for parts in self.components.values() for part in parts)]
        self.unchanged = [gr.skip()] * len(self.outputs)

    def _build_views(self) -> None:
        with gr.Tabs(overflow_behavior="wrap"):
            for name, view in VIEWS.items():
                with gr.Tab(view.title, id=name) as self.tabs[name]:
                    gr.Markdown(view.hint, elem_classes="summary")
                    self.components[name], own = view.build(self.paths)
                    self.own_controls += own

    def show(self, session: Session, *values: ControlValue, address: bool = True, wrong: str = "") -> list[object]:
        """Return the values of the outputs for the chosen image in the selected view; the other views stay as they are.

        An answer that comes after a newer request began changes nothing.
        """
        session.selected = name = session.selected or FIRST  # a control may be moved before `on_load` has answered
        # Not by `newest_only`, which would hide the session: only an answer in time fills it.
        number = session.next_number()
        choice, has_failed = Choice(*values).for_view(name), False
        try:
            encoded = choice.encode(self.paths)
            view_values = VIEWS[name].show(self.paths, encoded)
            link = link_value(name, encoded.params, address)
            command = save.command_text(self.paths, name, encoded.params)
        except UserError as error:
            view_values, link, command = VIEWS[name].message(error_sentence(error)), links.nothing(f"vae.{name}"), ""
            has_failed = True
        if number != session.newest:
            return self.unchanged
        session.fill(name, None if has_failed else choice)
        unchanged = {view: [gr.skip()] * len(parts) for view, parts in self.components.items()}
        notice = gr.update(value=plots.paragraph(wrong), visible=bool(wrong))
        all_values = (unchanged | {name: view_values}).values()
        return [notice, link, command, *(value for values in all_values for value in values)]

    def on_move(self, name: str, text: object, session: Session) -> list[object]:
        """Return link and command once the code of a view was moved, or moved back; the view may be left meanwhile, or
        filled with another image, whose code was not moved."""
        choice, picture = session.filled.get(name), session.decoded_picture(self.paths, name, text)
        if session.filled.get(name) is not choice:
            return [gr.skip()] * 2
        (session.moved.discard if picture.params else session.moved.add)(name)
        if name != session.selected:
            return [gr.skip()] * 2
        link = link_value(name, choice.params, is_moved=not picture.params) if choice else gr.skip()
        return [link, save.command_text(self.paths, name, picture.params)]

    def search(self, text: object, session: Session, *values: ControlValue) -> object:
        """Return HTML of the training images nearest to the picture in Traverse, if that is of the chosen image, or
        nothing new once the view shows those of another."""
        try:
            if session.filled.get("traverse") != Choice(*values).for_view("traverse"):
                raise UserError("Traverse shows another picture: open it first")
            html = nearest.find_neighbours(self.paths, *read_code(self.paths, text))
        except UserError as error:
            html = plots.paragraph(error_sentence(error))
        is_late = session.filled.get("nearest") not in (None, Choice(*values).for_view("nearest"))
        return gr.skip() if is_late else html

    def on_load(self, session: Session, request: gr.Request) -> list[object]:
        """Return the values of the view that the address describes, or the first image."""
        view = request.query_params.get("view", "")
        name, tab = (view, f"vae.{view}") if view in VIEWS else (FIRST, "vae")
        session.selected = name
        params, has_link, wrong = codes.CHECKPOINTS.settings_from_request(self.paths, ViewParams, tab, request)
        session.has_chosen_model = "model" in request.query_params
        if not session.has_chosen_model:
            params = replace(params, model=codes.default_model(self.paths, name))
        with suppress(UserError):  # which `show` reports
            params = params if has_link else codes.first_params(self.paths, params)
        outputs = self.show(session, *Choice.from_params(params), address=has_link, wrong=wrong)
        model, kind, *other_values = codes.CHECKPOINTS.control_values(self.paths, astuple(params))
        return [*outputs, model, self.kinds(params.model, kind), *other_values]

    def kinds(self, name: object, kind: object) -> Value:
        """Return the kinds of images that the model can encode, and the choice of one."""
        try:
            kinds = codes.about(self.paths, name).kinds
        except UserError:  # reported when the image is shown
            kinds = codes.KINDS
        return gr.update(choices=list(kinds), value=kind if kind in kinds else codes.PRIOR)

    def on_model(self, session: Session, name: object, kind: object) -> Value:
        """Note that a model was chosen; return the kinds of images that it can encode."""
        session.has_chosen_model = True
        return self.kinds(name, kind)

    def on_select(self, name: str, session: Session, model: ControlValue, *values: ControlValue) -> list[object]:
        """Return a view that was selected, and the model, which is the view's own until one is chosen.

        `on_load` fills the view that is selected when the page opens.
        """
        if session.selected in (name, UNOPENED):
            return [*self.unchanged, gr.skip()]
        shown = model if session.has_chosen_model else codes.default_model(self.paths, name)
        outputs = self.turn(name, session, shown, *values)
        is_late = outputs is self.unchanged
        return [*outputs, gr.skip() if is_late or shown == model else shown]

    def turn(self, name: str, session: Session, *values: ControlValue) -> list[object]:
        """Return a view that is selected now, as it was left if the image is still the same."""
        session.selected, choice = name, Choice(*values).for_view(name)
        if session.filled.get(name) != choice:
            return self.show(session, *values)
        session.next_number()  # what is still on its way is of the view before
        is_moved, outputs = name in session.moved, list(self.unchanged)
        command = save.command_text(self.paths, name, None if is_moved else choice.params)
        outputs[self.outputs.index(self.link)] = link_value(name, choice.params, is_moved=is_moved)
        outputs[self.outputs.index(self.command)] = command
        return outputs

    def bind(self, page: gr.Blocks) -> None:
        image = self.image
        inputs = [self.session, *self.inputs]
        show = self.show, inputs, self.outputs
        changes = [self.seed.input, *image.changes, *image.choices, *(control.input for control in self.own_controls)]
        gr.on(changes, *show, **controls.LIGHT)
        kind, *_ = image.inputs
        choose_kinds = self.on_model, [self.session, self.model, kind], kind
        self.model.input(*choose_kinds, **controls.INSTANT).then(*show, **controls.LIGHT)
        kind.change(lambda name: [gr.update(interactive=name == codes.PRIOR)] * 2, kind,
                    [self.seed, self.new_seed], **controls.INSTANT)  # fmt: skip
        controls.on_new_seed(self.new_seed, self.seed).then(*show, **controls.LIGHT)
        settings = controls.LIGHT | {"trigger_mode": "multiple"}  # no turn waits for the answer to the one before
        for name, tab in self.tabs.items():
            tab.select(partial(self.on_select, name), inputs, [*self.outputs, self.model], **settings)
        result = gr.Textbox(visible=False)
        for name in MOVABLE:
            stage, *_ = self.components[name]
            on_move = user_errors_to_gradio(partial(self.on_move, name))
            stage.input(on_move, [result, self.session], [self.link, self.command], js=code_js(name),
                        **controls.LIGHT)  # fmt: skip
        table, search = self.components["nearest"]
        search.click(self.search, [result, *inputs], table, js=code_js("traverse"), **controls.SLOW)
        linkable = [self.model, *image.inputs[:2], self.seed, *self.own_controls]
        page.load(self.on_load, self.session, [*self.outputs, *linkable], **controls.LIGHT)


def link_value(name: str, params: ViewParams, address: bool = True, is_moved: bool = False) -> Value:
    """Return the value of a view's link; a code that was `moved` is not part of it."""
    copied = "Copied, without the moved code" if is_moved else links.COPIED
    return links.value(f"vae.{name}", save.linkable(params), address, copied)


GUIDE = (
    GuideStep(
        "#vae-traverse .sliders",
        "Move the first slider: one number of the code changes, and the middle picture follows.",
    ),
    GuideStep("#vae-traverse .traversal", "Each row moves one number from end to end. Press a picture to go there."),
    GuideStep("[data-tab-id=map]", "The map shows all codes at once: drag over it, and see one digit become another."),
)
TAB = Tab(VAETab.TITLE, 10, SUMMARY, VAETab.build, GUIDE)
