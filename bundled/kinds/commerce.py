"""Commerce: plans, products, parts, suppliers, customers, contracts, invoices, campaigns, deliveries, shops and the like."""

from collections.abc import Callable
from random import Random

from . import Attribute, Kind
from .names import DAYS, FIRST, MONTHS, WORDS, clock, code, date, email, money, number, one_of, person, phone, proper, syllables

Value = Callable[[Random], str]


def a(name: str, value: Value, statements: str, questions: str) -> Attribute:
    """An attribute whose templates are written one to a line."""
    return Attribute(name, value, _lines(statements), _lines(questions))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


def pick(*ways: Value) -> Value:
    """One of several ways to make a value."""
    return lambda r: r.choice(ways)(r)


def phrase(*slots: str) -> Value:
    """A phrase with one option of every slot; options are separated by a bar."""
    return lambda r: " ".join(w for w in (r.choice(slot.split("|")) for slot in slots) if w)


def amount(low: int, high: int = 9000) -> Value:
    """An amount of money of at least `low`."""
    return lambda r: money(r, low, high)


def percent(low: int, high: int) -> Value:
    """A percentage, now and then with a decimal or spelled out."""
    return lambda r: r.choice(["{}%", "{}%", "{}.5%", "{} percent"]).format(r.randint(low, high))


def place(r: Random) -> str:
    """A town nobody has heard of."""
    return r.choice(["{}", "{}", "{}", "Port {}", "North {}", "{} Bay"]).format(syllables(r, 2, 3).capitalize())


def street(r: Random) -> str:
    """A street address."""
    return f"{r.randint(2, 240)} {r.choice([syllables(r, 2, 3), r.choice(WORDS)]).capitalize()} {r.choice(['Street', 'Road', 'Lane', 'Avenue', 'Square'])}"


def firm(r: Random) -> str:
    """A company."""
    return r.choice(["{} Ltd", "{} Supplies", "{} & Sons", "{} Trading", "{} Logistics", "{} Group", "{} Industries", "{}"]).format(proper(r))


def team(r: Random) -> str:
    """A team."""
    area = r.choice(["billing", "sales", "returns", "retail", "logistics", "procurement", "accounts", "key accounts", "customer care", "finance", "events", "merchandising"])
    return r.choice([f"the {area} team", f"the {area} desk", f"the {proper(r)} team", f"{area} in {place(r)}"])


def edition(r: Random) -> str:
    """A suffix that makes look-alikes."""
    return r.choice(["Plus", "Pro", "Lite", "Max", "Mini", "Basic", "Premium", "Start", "XL", "Family", "S", "Go"])


def month(r: Random) -> str:
    """A month, often with a year."""
    return r.choice(MONTHS) + r.choice(["", f" {r.randint(2021, 2031)}"])


def span(r: Random) -> str:
    """Opening hours."""
    if r.random() < 0.5:
        return f"{r.randint(6, 11):02}:{r.choice(['00', '15', '30', '45'])} to {r.randint(16, 23)}:{r.choice(['00', '15', '30', '45'])}"
    return f"{r.randint(6, 11)} a.m. to {r.randint(3, 11)} p.m."


def kg(r: Random) -> str:
    """A weight."""
    return r.choice([f"{r.randint(2, 95)} kg", f"{r.randint(1, 30)}.{r.randint(1, 9)} kg", f"{r.randint(60, 990)} g", f"{r.randint(2, 80)} kilograms"])


def size(r: Random) -> str:
    """Outer dimensions."""
    return r.choice([f"{r.randint(4, 90)} x {r.randint(4, 90)} x {r.randint(2, 60)} cm", f"{r.randint(20, 900)} by {r.randint(20, 900)} mm"])


def coupon(r: Random) -> str:
    """A promotional code."""
    return f"{r.choice([r.choice(WORDS), syllables(r, 1, 2)]).upper()}{r.randint(5, 99)}"


days, weeks, months, years = number(2, 60, "days"), number(2, 12, "weeks"), number(2, 48, "months"), number(2, 10, "years")
working_days = number(2, 15, "working days")
hours = number(2, 72, "hours")
colour = phrase("|||matte |dark |pale ".replace(" ", ""), "black|white|grey|red|green|blue|orange|silver|yellow|teal|beige|navy|burgundy|turquoise")
material = phrase("||recycled|brushed|hardened|coated", "steel|aluminium|rubber|bamboo|nylon|brass|ceramic|oak|copper|polycarbonate|silicone|titanium|cast iron|glass fibre")
pay_by = one_of("bank transfer", "direct debit", "credit card", "cheque", "card or direct debit", "standing order", "cash on delivery", "gift voucher")


def plan_name(r: Random) -> str:
    name = proper(r)
    return r.choice([f"the {name} plan", f"{name} {edition(r)}", f"the {name} {edition(r)} plan", f"the {name} subscription", f"{name} {r.randint(2, 90)}", f"the {name} tier"])


def product_name(r: Random) -> str:
    name, noun = proper(r), r.choice(["kettle", "drill", "lamp", "router", "printer", "scanner", "speaker", "heater", "blender", "monitor", "keyboard", "tent", "vacuum", "scale"])
    return r.choice([f"the {name} {noun}", f"{name} {r.randint(2, 900)}", f"the {name} {edition(r)}", f"{name} {edition(r)}", f"the {name} {r.randint(2, 90)} {noun}", code(r)])


def part_name(r: Random) -> str:
    noun = r.choice(["valve", "gasket", "bearing", "hinge", "fuse", "filter", "pump", "belt", "bracket", "nozzle", "spring", "seal", "relay", "cartridge", "rotor", "gear"])
    return r.choice([f"part {code(r)}", code(r), f"the {proper(r)} {noun}", f"{noun} {code(r)}", f"the {noun} {code(r)}", f"spare part {code(r)}"])


def account_name(r: Random) -> str:
    return r.choice([f"account {code(r)}", f"customer {code(r)}", firm(r), f"the {proper(r)} account", f"{proper(r)} {r.choice(['Bakery', 'Dental', 'Hotels', 'Motors', 'Foods'])}"])


def contract_name(r: Random) -> str:
    return r.choice([f"contract {code(r)}", f"the {proper(r)} contract", f"the {proper(r)} agreement", code(r), f"the {proper(r)} framework agreement", f"agreement {code(r)}"])


def invoice_name(r: Random) -> str:
    return r.choice([f"invoice {code(r)}", f"invoice {r.randint(1000, 99999)}", f"the {proper(r)} invoice", code(r), f"invoice no. {r.randint(100, 9999)}", f"bill {code(r)}"])


def campaign_name(r: Random) -> str:
    name = proper(r)
    return r.choice([f"the {name} campaign", f"the {name} sale", f"{name} Days", f"the {name} promotion", f"{name} Week", f"the {name} {edition(r)} offer", f"{name} {r.randint(2, 60)}"])


def delivery_name(r: Random) -> str:
    name = proper(r)
    return r.choice([f"{name} Express", f"{name} Delivery", f"the {name} courier option", f"{name} {edition(r)}", f"the {name} shipping option", f"{name} {r.choice([24, 48, 72])}", f"{name} Post"])


def warranty_name(r: Random) -> str:
    name = proper(r)
    return r.choice([f"the {name} warranty", f"{name} Care", f"{name} Care {edition(r)}", f"the {name} {edition(r)} warranty", f"{name} Protect", f"warranty {code(r)}"])


def shop_name(r: Random) -> str:
    return r.choice([f"the {place(r)} branch", f"the {place(r)} shop", f"the {proper(r)} store", f"branch {code(r)}", f"{proper(r)} Outlet", f"shop {r.randint(2, 400)}", f"the {proper(r)} {r.choice(['showroom', 'kiosk'])}"])


def returns_name(r: Random) -> str:
    return r.choice([f"the {proper(r)} returns policy", f"returns policy {code(r)}", f"the {proper(r)} {edition(r)} returns policy", f"{proper(r)} Returns", f"{proper(r)} Easy Return", f"policy {code(r)}"])


def gift_name(r: Random) -> str:
    return r.choice([f"the {proper(r)} gift card", f"gift card {code(r)}", f"the {proper(r)} {edition(r)} gift card", f"the {proper(r)} voucher", f"voucher {code(r)}", f"{proper(r)} Gift {r.randint(10, 90)}"])


def listing_name(r: Random) -> str:
    thing = r.choice(["bicycle", "armchair", "camera", "desk", "piano", "tractor", "mirror", "bookcase", "clock", "canoe", "guitar", "rug"])
    return r.choice([f"listing {code(r)}", f"listing {r.randint(1000, 99999)}", f"the {proper(r)} {thing}", f"the {r.choice(WORDS)} {thing}", f"the {proper(r)} {thing} listing", f"item {code(r)}"])


def ticket_name(r: Random) -> str:
    event = r.choice(["fair", "conference", "concert", "expo", "festival", "gala", "trade show", "summit"])
    return r.choice([f"the {proper(r)} {event}", f"{proper(r)} Live", f"{proper(r)} {r.randint(2024, 2031)}", f"the {proper(r)} {edition(r)} {event}", f"{proper(r)} Expo", f"the {proper(r)} workshop"])


PLAN = Kind(
    "subscription plan",
    plan_name,
    (
        a("monthly fee", amount(3, 900), """
            {e} costs {v} per month.
            Customers on {e} pay {v} a month.
            For {v} each month, you can sign up for {e}.
            The monthly fee for {e} was set at {v} after the last review.
            Although many people ask for a discount, {e} is billed at {v} monthly.
            A charge of {v} is made every month for {e}.
            Every month, {v} is due for {e}, whatever you use.
            If you choose {e}, your card is charged {v} per month.
            """, """
            What is the monthly fee for {e}?
            How much does {e} cost per month?
            How much is {e} again, per month?
            {e} monthly fee
            What do customers pay each month for {e}?
            Tell me the monthly price of {e}.
            I need to know what {e} costs a month.
            """),
        a("storage", pick(number(2, 900, "GB"), number(2, 40, "TB")), """
            {e} comes with {v} of storage.
            You get {v} of storage with {e}.
            With {e}, customers can store up to {v}.
            Storage on {e} is limited to {v}.
            {v} of storage is included in {e}.
            Files can take up as much as {v} if the account is on {e}.
            We raised the storage of {e} to {v} because so many of you asked.
            """, """
            How much storage does {e} include?
            What is the storage limit of {e}?
            {e} storage
            How many files, in size, can I keep on {e}?
            Tell me how much space comes with {e}.
            How much can a customer store with {e}?
            I need the storage allowance for {e}.
            """),
        a("seats", number(2, 500, "users"), """
            {e} is meant for up to {v}.
            Up to {v} can share {e}.
            No more than {v} may work on {e} at once.
            The largest group that fits on {e} is {v}.
            If your company is growing, note that {e} stops at {v}.
            {e} allows {v}, and guests do not count.
            A maximum of {v} applies to {e}.
            """, """
            How many users does {e} allow?
            What is the maximum number of users on {e}?
            {e} user limit
            How many people can share {e}?
            How many seats come with {e}?
            Say how many users may work on {e}.
            What's the seat limit for {e} again?
            """),
        a("trial period", pick(days, weeks), """
            {e} can be tried free for {v}.
            New customers get {v} of free trial with {e}.
            The free trial of {e} lasts {v}.
            For the first {v}, {e} is free of charge.
            You can test {e} for {v} before you have to decide.
            After a trial of {v}, {e} turns into a paid subscription.
            We give everybody {v} to try out {e} without paying.
            """, """
            How long is the free trial of {e}?
            For how long can I try {e} free of charge?
            {e} trial period
            How long can new customers test {e} before paying?
            What trial period comes with {e}?
            Tell me how long the trial for {e} lasts.
            I need to know the length of the {e} trial.
            """),
        a("notice period", pick(days, weeks, number(2, 6, "months")), """
            {e} can be cancelled with {v} of notice.
            To cancel {e}, you must give {v} notice.
            The notice period for {e} is {v}.
            Customers who want to leave {e} have to tell us {v} in advance.
            At least {v} before leaving, holders of {e} should send a cancellation.
            Cancelling {e} takes {v} of notice, as the terms explain.
            A notice of {v} applies when somebody ends {e}.
            """, """
            What is the notice period for {e}?
            How much notice must I give to cancel {e}?
            {e} cancellation notice
            How far in advance do I need to cancel {e}?
            How long before leaving do I have to cancel {e}?
            What notice applies to {e}?
            Give me the notice period of {e}.
            """),
        a("support channel", one_of("e-mail only", "live chat", "phone and chat", "a ticket form", "a community forum", "phone on weekdays", "video call", "a personal adviser"), """
            Support for {e} is given through {v}.
            Customers on {e} get help by way of {v}.
            If something goes wrong with {e}, the support channel is {v}.
            With {e}, support means {v}.
            The support channel of {e} has been {v} since the relaunch.
            We offer {v} as the support channel for {e}.
            As for support, {v} is what {e} includes.
            """, """
            What support channel comes with {e}?
            How do customers on {e} get help?
            {e} support channel
            What kind of support does {e} include?
            How can users of {e} reach support?
            Which support does {e} offer?
            Tell me how support works for {e}.
            """),
        a("product owner", pick(person, team), """
            {e} is managed by {v}.
            Responsibility for {e} lies with {v}.
            The owner of {e} is {v}.
            Ideas about {e} should go to {v}, who owns the product.
            Since the spring, {v} has been in charge of {e}.
            We asked {v} to take over {e}.
            Internally, {v} looks after {e}.
            """, """
            Who manages {e}?
            Who is in charge of {e}?
            {e} owner
            Who looks after {e}?
            Who is responsible for {e}?
            Name the owner of {e}.
            Who should get ideas about {e}?
            """),
        a("renewal", one_of("automatically every year", "automatically every month", "only on request", "every quarter", "every two years", "only after a reminder", "after written consent"), """
            {e} renews {v}.
            A subscription to {e} is renewed {v}.
            Renewal of {e} happens {v}, as the terms say.
            Please note that {e} is extended {v}.
            As agreed with the customers, we renew {e} {v}.
            Once the first term is over, {e} renews {v}.
            """, """
            When does {e} renew?
            How is {e} renewed?
            {e} renewal
            Does {e} renew by itself?
            What is the renewal rule for {e}?
            Explain how the renewal of {e} works.
            How does {e} get extended?
            """),
    ),
    (
        "Many customers compare {e} with other offers first.",
        "You can read about {e} on our website.",
        "We introduced {e} after a survey.",
        "Changes to a subscription are shown in the customer portal.",
        "{e} is described in the brochure.",
        "Our sales staff gladly explains the differences.",
        "Most reviews of {e} are friendly.",
        "Terms and conditions apply.",
        "A short video presents {e}.",
    ),
)

PRODUCT = Kind(
    "hardware product",
    product_name,
    (
        a("price", amount(5), """
            {e} sells for {v}.
            The price of {e} is {v}.
            You can buy {e} for {v} in all our shops.
            At {v}, {e} has become a bestseller.
            Customers pay {v} for {e}.
            We have priced {e} at {v}, which is fair for what it does.
            {v} is what {e} costs.
            Whoever wants {e} has to pay {v}.
            """, """
            How much does {e} cost?
            What is the price of {e}?
            {e} price
            How much is {e} again?
            What do customers pay for {e}?
            Tell me the price of {e}.
            I want to buy {e}, what will I pay?
            For how much is {e} sold?
            """),
        a("weight", kg, """
            {e} weighs {v}.
            The weight of {e} is {v} without packaging.
            At {v}, {e} is easy to move.
            {e} has a weight of {v}.
            With its weight of {v}, {e} surprised the testers.
            The scale shows {v} when you put {e} on it.
            When it was redesigned, {e} ended up weighing {v}.
            """, """
            How much does {e} weigh?
            What is the weight of {e}?
            {e} weight
            How heavy is {e}?
            Tell me how heavy {e} is.
            What does {e} weigh without packaging?
            I need the weight of {e}.
            """),
        a("dimensions", size, """
            {e} measures {v}.
            The dimensions of {e} are {v}.
            At {v}, {e} fits in most cupboards.
            You need a space of {v} for {e}.
            {v} is the size of {e}.
            Measured from edge to edge, {e} is {v}.
            Our designers kept {e} to {v}.
            """, """
            What are the dimensions of {e}?
            How big is {e}?
            {e} dimensions
            What size is {e}?
            How much space does {e} take up?
            Give the measurements of {e}.
            What does {e} measure?
            """),
        a("colour", colour, """
            {e} comes in {v}.
            The colour of {e} is {v}.
            {e} is only available in {v}.
            We make {e} in {v}, whatever the catalogue photo suggests.
            Painted {v}, {e} is easy to recognise.
            In {v}, {e} looks at home in any room.
            The designers chose {v} for {e}.
            """, """
            What colour is {e}?
            In which colour does {e} come?
            {e} colour
            Which colour was chosen for {e}?
            Tell me the colour of {e}.
            What colour can I get {e} in?
            What's the colour of {e} again?
            """),
        a("housing material", material, """
            The housing of {e} is made of {v}.
            {e} has a housing of {v}.
            For the housing of {e}, we use {v}.
            With its {v} housing, {e} is built to last.
            Engineers picked {v} for the body of {e}.
            {v} is the material used for the housing of {e}.
            Since the body of {e} is {v}, a soft cloth will do for cleaning.
            """, """
            What is the housing of {e} made of?
            Which material is used for {e}?
            {e} housing material
            What is {e} made of?
            From what material is the body of {e}?
            Name the housing material of {e}.
            What did the engineers pick for the body of {e}?
            """),
        a("battery life", pick(hours, days), """
            The battery of {e} lasts {v}.
            {e} runs for {v} on one charge.
            On a full charge, {e} works for {v}.
            You can use {e} for {v} before it needs charging.
            A battery life of {v} was measured for {e}.
            After {v}, the battery of {e} is empty.
            In our tests, {e} kept going for {v} without a cable.
            """, """
            How long does the battery of {e} last?
            What is the battery life of {e}?
            {e} battery life
            How long does {e} run on one charge?
            For how long can I use {e} without charging?
            Tell me how long {e} works on a full battery.
            When is the battery of {e} empty?
            """),
        a("designer", person, """
            {e} was designed by {v}.
            {v} designed {e}.
            The design of {e} comes from {v}.
            The designer of {e}, {v}, won a prize for it.
            We hired {v} to design {e}.
            As the designer, {v} drew {e} in one afternoon.
            Behind the look of {e} is {v}.
            """, """
            Who designed {e}?
            Who is the designer of {e}?
            {e} designer
            Whose design is {e}?
            By whom was {e} designed?
            Name the person who designed {e}.
            Who was hired to design {e}?
            """),
        a("launch date", pick(date, month), """
            {e} has a launch date of {v}.
            The launch date of {e} is {v}.
            For the launch of {e}, the date in the plan is {v}.
            {v} was chosen as the launch date of {e}.
            Mark {v} in your calendar as the launch of {e}.
            Our records show {v} as the launch date for {e}.
            The launch of {e}, dated {v}, is covered in the press kit.
            """, """
            When is the launch of {e}?
            What is the launch date of {e}?
            {e} launch date
            On what date is {e} launched?
            When does {e} come to market?
            Give me the date of the {e} launch.
            I need to know when {e} launches.
            """),
    ),
    (
        "{e} is a popular gift.",
        "The manual of {e} can be downloaded.",
        "Reviewers praised {e} in several magazines.",
        "We pack every order with care.",
        "You find {e} on the second page of the catalogue.",
        "Accessories are sold separately.",
        "{e} replaced an older model.",
        "Please keep the receipt.",
        "Photos of {e} are in the press folder.",
    ),
)

PART = Kind(
    "spare part",
    part_name,
    (
        a("unit price", amount(2, 2000), """
            {e} costs {v} apiece.
            One piece of {e} is priced at {v}.
            We charge {v} apiece whenever {e} is shipped.
            The unit price of {e} stands at {v}.
            Workshops can order {e} for {v} apiece.
            {v} is the unit price listed for {e}.
            Since the copper price rose, {e} has been sold at {v} each.
            """, """
            What is the unit price of {e}?
            How much is one piece of {e}?
            {e} unit price
            What does {e} cost apiece?
            How much do we charge for {e}?
            Look up the price of {e}.
            What's the price for {e} again?
            """),
        a("stock level", number(2, 4800, "pieces"), """
            There are {v} of {e} in stock.
            We hold {v} of {e} at the moment.
            The stock of {e} has fallen to {v}.
            {v} of {e} were counted during the last inventory.
            At present, the warehouse keeps {v} of {e}.
            According to the system, {e} has a stock level of {v}.
            For {e}, the counter at the shelf shows {v}.
            """, """
            How many pieces of {e} are in stock?
            What is the stock level of {e}?
            {e} stock
            How much stock of {e} do we hold?
            How many of {e} were counted?
            Check how many pieces of {e} we have.
            Do we have {e} in stock, and how many pieces?
            """),
        a("shelf", lambda r: r.choice(["shelf {}", "rack {}", "bin {}", "drawer {}"]).format(r.choice([code(r), str(r.randint(2, 99)), f"{r.choice('ABCDEFGH')}{r.randint(1, 40)}"])), """
            {e} is kept in {v}.
            You will find {e} in {v}.
            We store {e} in {v}, close to the exit.
            Go to {v} if you are looking for {e}.
            {v} is where {e} belongs.
            In {v}, there is a box with {e}.
            After the move, {e} was placed in {v}.
            """, """
            Where is {e} kept?
            Where do I find {e}?
            {e} storage location
            In which place is {e} stored?
            Where does {e} belong?
            Tell me where {e} is in the warehouse.
            Where should I look for {e}?
            """),
        a("manufacturer", firm, """
            {e} is made by {v}.
            {v} manufactures {e}.
            The manufacturer of {e} is {v}.
            We get {e} from its maker, {v}, by lorry.
            Made by {v}, {e} passes all our checks.
            For years, {v} has produced {e} for us.
            The firm that produces {e} is called {v}.
            """, """
            Who makes {e}?
            Which company manufactures {e}?
            {e} manufacturer
            Who is the manufacturer of {e}?
            Who produces {e} for us?
            Name the maker of {e}.
            By which firm is {e} made?
            """),
        a("lead time", pick(days, weeks, working_days), """
            It takes {v} to get {e} after ordering.
            The lead time for {e} is {v}.
            {e} arrives {v} after the order.
            Allow {v} for {e} to be supplied.
            With a lead time of {v}, {e} should be ordered early.
            Customers wait {v} for {e} when the shelf is empty.
            Our supplier needs {v} to send us {e}.
            """, """
            What is the lead time for {e}?
            How long does it take to get {e}?
            {e} lead time
            How long do customers wait for {e}?
            How soon does {e} arrive after ordering?
            Tell me how long {e} takes to be supplied.
            If I order {e} today, how long will it take?
            """),
        a("replacement interval", pick(months, number(200, 9000, "operating hours"), years), """
            {e} should be replaced every {v}.
            Replace {e} after {v}.
            {e} wears out in {v}.
            A technician changes {e} every {v}.
            Every {v}, {e} has to be swapped for a new one.
            The replacement interval of {e} is {v}.
            Once {v} have passed, {e} is due for replacement.
            """, """
            How often should {e} be replaced?
            What is the replacement interval of {e}?
            {e} replacement interval
            After how long must {e} be swapped?
            When is {e} due for replacement?
            How long does {e} last before it wears out?
            I need to know how often to change {e}.
            """),
        a("material", material, """
            {e} is made of {v}.
            We use {v} for {e}.
            The material of {e} is {v}.
            As {e} consists of {v}, it can stand the heat.
            {v} is the material from which {e} is made.
            Only {v} is strong enough for {e}, say the engineers.
            Made from {v}, {e} does not rattle.
            """, """
            What is {e} made of?
            Which material is {e}?
            {e} material
            From what is {e} made?
            What material do we use for {e}?
            State the material of {e}.
            What does {e} consist of?
            """),
    ),
    (
        "{e} is shown in the drawing on the next page.",
        "Only trained staff should fit {e}.",
        "Please quote the serial number when you order.",
        "We photographed {e} for the catalogue.",
        "{e} is packed in a paper bag.",
        "Old parts can be recycled at the workshop.",
        "Technicians know {e} well.",
        "The parts list is updated often.",
    ),
)

SUPPLIER = Kind(
    "supplier",
    firm,
    (
        a("contact person", person, """
            Our contact at {e} is {v}.
            At {e}, you should ask for {v}.
            {v} is our contact person at {e}.
            We usually speak to {v} when we call {e}.
            If there is a problem with {e}, turn to {v} over there.
            Questions for {e} are answered by {v}.
            For all orders with {e}, the person to talk to is {v}.
            """, """
            Who is our contact at {e}?
            Whom should I ask for at {e}?
            {e} contact person
            Who do we speak to at {e}?
            Who answers questions at {e}?
            Give me the name of our contact at {e}.
            I need to call {e}, who is the right person?
            """),
        a("goods", phrase("printed|used|organic|heavy|custom|small|waterproof|certified", "paper|wooden|plastic|cotton|metal|glass|leather", "boxes|labels|pallets|bags|frames|trays|cushions|panels"), """
            {e} supplies us with {v}.
            We buy {v} from {e}.
            {v} are delivered by {e}.
            From {e} we order {v}, mostly in large amounts.
            As a supplier of {v}, {e} has done well.
            What we get from {e} is {v}.
            When {v} run low, the buyer calls {e}.
            """, """
            What does {e} supply?
            What do we buy from {e}?
            {e} goods supplied
            Which goods come from {e}?
            What is delivered by {e}?
            Tell me what we order from {e}.
            What kind of goods do we get from {e}?
            """),
        a("payment terms", pick(days, weeks), """
            {e} expects payment within {v}.
            We have {v} to pay {e}.
            Bills from {e} must be settled in {v}.
            The payment terms of {e} are {v}.
            Within {v}, the money has to reach {e}.
            After long talks, {e} granted us payment terms of {v}.
            Payment to {e} falls due after {v}.
            """, """
            What are the payment terms of {e}?
            How long do we have to pay {e}?
            {e} payment terms
            Within what time must we pay {e}?
            How soon does {e} expect its money?
            Tell me when bills from {e} must be settled.
            What payment deadline does {e} give us?
            """),
        a("minimum order", pick(number(10, 5000, "pieces"), number(2, 90, "pallets"), number(10, 900, "boxes"), amount(50)), """
            The minimum order at {e} is {v}.
            {e} accepts no orders below {v}.
            We have to order at least {v} from {e}.
            Anything less than {v} is refused by {e}.
            At {e}, orders start at {v}.
            A minimum of {v} applies to every order with {e}.
            To be served by {e}, a buyer must take {v} or more.
            """, """
            What is the minimum order at {e}?
            How much do we have to order from {e} at least?
            {e} minimum order
            What is the smallest order {e} accepts?
            At what size do orders with {e} start?
            Tell me the least we can order from {e}.
            Below what size does {e} refuse orders?
            """),
        a("headquarters", place, """
            {e} is based in {v}.
            The headquarters of {e} are in {v}.
            From its head office in {v}, {e} serves many countries.
            {e} has its seat in {v}, near the station.
            In {v}, you can visit the head office of {e}.
            Letters to {e} go to {v}.
            {v} is home to {e}.
            """, """
            Where is {e} based?
            In which town are the headquarters of {e}?
            {e} headquarters
            Where does {e} have its head office?
            Where do letters to {e} go?
            Name the town where {e} has its seat.
            What place is {e} from?
            """),
        a("quality rating", pick(percent(40, 99), one_of("excellent", "good", "fair", "poor", "very good", "satisfactory"), lambda r: f"{r.randint(1, 9)} out of 10"), """
            The quality rating of {e} is {v}.
            {e} was rated {v} for quality.
            Our auditors gave {e} a quality rating of {v}.
            With a quality rating of {v}, {e} stays on the list.
            In this year's audit, the quality of {e} was scored as {v}.
            {v} is the quality rating that {e} received.
            Quality at {e} was marked as {v} by the inspectors.
            """, """
            What is the quality rating of {e}?
            How was {e} rated for quality?
            {e} quality rating
            Which rating did the auditors give {e}?
            How good is the quality of {e}?
            Tell me how {e} scored in the audit.
            What rating does {e} have?
            """),
        a("order e-mail", email, """
            Orders for {e} go to {v}.
            Send your orders to {e} by e-mail at {v}.
            {e} takes orders at {v}.
            The address for orders with {e} is {v} from now on.
            Write to {v} if you want to order from {e}.
            Use {v} as the order address of {e}.
            By e-mail, {e} can be reached under {v} for any order.
            """, """
            What is the order e-mail of {e}?
            To which address do I send orders for {e}?
            {e} order e-mail
            Where do I write to order from {e}?
            At which address does {e} take orders?
            Give me the e-mail address of {e}.
            I need the mail address for orders with {e}.
            """),
        a("delivery day", one_of(*DAYS), """
            {e} delivers on {v}.
            Goods from {e} arrive every {v}.
            The lorry of {e} comes on {v}.
            Every {v}, {e} unloads at the back gate.
            On {v}, expect a delivery from {e}.
            We agreed on {v} as the delivery day of {e}.
            The delivery day of {e} is {v}, unless it is a holiday.
            """, """
            On which day does {e} deliver?
            What is the delivery day of {e}?
            {e} delivery day
            When do goods from {e} arrive?
            Which weekday does the lorry of {e} come?
            Tell me what day {e} delivers.
            When should I expect {e} at the gate?
            """),
    ),
    (
        "{e} has been a partner for a long time.",
        "We met {e} at a trade show.",
        "The buyers like working with {e}.",
        "All suppliers sign the code of conduct.",
        "A visit to {e} is planned.",
        "Please file delivery notes on the same day.",
        "{e} sends a calendar every winter.",
        "The list of suppliers is kept by procurement.",
    ),
)

ACCOUNT = Kind(
    "customer account",
    account_name,
    (
        a("account manager", person, """
            {e} is looked after by {v}.
            The account manager for {e} is {v}.
            {v} manages {e} on our side.
            Calls about {e} should be passed to {v}, the account manager.
            Since the handover, {v} has been in charge of {e}.
            As account manager, {v} visits {e} twice a year.
            We assigned {v} to {e}.
            """, """
            Who is the account manager for {e}?
            Who looks after {e}?
            {e} account manager
            Who manages {e}?
            Who is in charge of {e}?
            Name the person assigned to {e}.
            To whom do I pass calls about {e}?
            """),
        a("credit limit", amount(200), """
            {e} has a credit limit of {v}.
            The credit limit for {e} is {v}.
            We allow {e} to owe us up to {v}.
            Up to {v}, orders from {e} go through on credit.
            Finance set the credit limit of {e} to {v}.
            {v} is as much credit as {e} may use.
            Orders by {e} are blocked once the credit reaches {v}.
            """, """
            What is the credit limit of {e}?
            How much credit does {e} have?
            {e} credit limit
            Up to what amount may {e} owe us?
            How much credit did finance give {e}?
            Check the credit limit for {e}.
            At what amount are orders by {e} blocked?
            """),
        a("discount", percent(2, 45), """
            {e} gets a discount of {v}.
            A discount of {v} was granted to {e}.
            We give {e} {v} off every order.
            Because of its loyalty, {e} enjoys {v} off.
            {v} is taken off each bill for {e}.
            The agreed discount for {e} stands at {v}.
            All orders from {e} are reduced by {v}.
            """, """
            What discount does {e} get?
            How much discount was granted to {e}?
            {e} discount
            How much do we take off for {e}?
            By how much are orders from {e} reduced?
            Tell me the discount agreed with {e}.
            What's the discount for {e} again?
            """),
        a("outstanding balance", amount(20), """
            {e} still owes us {v}.
            The outstanding balance of {e} is {v}.
            {v} remains unpaid on the books of {e}.
            We are waiting for {v} from {e}.
            An outstanding sum of {v} is recorded for {e}.
            According to accounting, {e} has {v} left to pay.
            With {v} unpaid, {e} got a reminder.
            """, """
            How much does {e} owe us?
            What is the outstanding balance of {e}?
            {e} outstanding balance
            How much is unpaid for {e}?
            What sum does {e} have left to pay?
            Tell me what we are waiting for from {e}.
            How big is the debt of {e}?
            """),
        a("industry", phrase("regional|specialist|retail|industrial|family-run", "food|furniture|travel|dental|farming|printing|packaging|clothing|music|sports", "trade|services|wholesale|production"), """
            {e} works in {v}.
            The industry of {e} is {v}.
            {e} is active in {v}.
            In our system, {e} is filed under {v} as its industry.
            We put {e} in the group for {v}.
            {v} is the line of business of {e}.
            Being in {v}, {e} orders mostly in summer.
            """, """
            In which industry does {e} work?
            What is the industry of {e}?
            {e} industry
            What line of business is {e} in?
            What does {e} do for a living?
            Name the sector of {e}.
            In what business is {e} active?
            """),
        a("billing address", street, """
            Bills for {e} go to {v}.
            The billing address of {e} is {v}.
            We send bills for {e} to {v}.
            {v} is on file as the billing address of {e}.
            Use {v} as the address when you bill {e}.
            Since the move, {e} has had its billing address at {v}.
            For billing, {e} gave us the address {v}.
            """, """
            What is the billing address of {e}?
            Where do bills for {e} go?
            {e} billing address
            To which address do we bill {e}?
            Which address did {e} give us for billing?
            Give me the address for billing {e}.
            Where should I send a bill for {e}?
            """),
        a("customer since", pick(date, month), """
            {e} has been a customer since {v}.
            Since {v}, {e} has been buying from us.
            We have been working with {e} since {v}.
            The account of {e} was opened in our books as of {v}.
            Our records list {e} as a customer since {v}.
            {v} marks the start of our business with {e}.
            The relationship with {e} goes back to {v}.
            """, """
            Since when has {e} been a customer?
            When did {e} become a customer?
            {e} customer since
            How far back does our business with {e} go?
            When did we start working with {e}?
            Tell me since when {e} has been buying from us.
            From what date is {e} our customer?
            """),
        a("payment method", pay_by, """
            {e} pays by {v}.
            The payment method of {e} is {v}.
            We agreed on payment by {v} with {e}.
            {v} is the payment method stored for {e}.
            By {v}, {e} settles all its bills.
            For {e}, the system is set to {v} as the way to pay.
            At its own request, {e} now uses {v} for payments.
            """, """
            How does {e} pay?
            What is the payment method of {e}?
            {e} payment method
            Which way of paying does {e} use?
            By what means does {e} settle its bills?
            Tell me how {e} pays.
            What payment method is stored for {e}?
            """),
    ),
    (
        "{e} was invited to the summer party.",
        "Please treat the data of {e} with care.",
        "We are glad to have {e} with us.",
        "The notes on {e} are kept in the customer database.",
        "A thank-you letter goes to every customer in winter.",
        "{e} took part in our survey.",
        "Sales reviews all accounts in spring.",
        "Nobody has complained about {e} so far.",
    ),
)

CONTRACT = Kind(
    "contract",
    contract_name,
    (
        a("contract value", amount(500, 900000), """
            {e} is worth {v}.
            The value of {e} comes to {v}.
            {v} is the total value of {e}.
            With a value of {v}, {e} is one of our larger deals.
            We valued {e} at {v} before tax.
            Over its whole life, {e} will bring in {v}.
            According to the lawyers, the total of {e} is {v}.
            """, """
            How much is {e} worth?
            What is the value of {e}?
            {e} contract value
            What total does {e} come to?
            How much money is {e} about?
            State the value of {e}.
            How much will {e} bring in?
            """),
        a("signing date", date, """
            {e} was signed on {v}.
            On {v}, both sides signed {e}.
            The date of signature for {e} is {v}.
            Both parties put their names to {e} on {v}, in a small ceremony.
            {v} is the day on which {e} was signed.
            The signatures under {e} are dated {v}.
            We signed {e} on {v} after a long debate.
            """, """
            When was {e} signed?
            What is the signing date of {e}?
            {e} signing date
            On which day was {e} signed?
            When did both sides sign {e}?
            Find the date of signature for {e}.
            What date is under {e}?
            """),
        a("term", pick(months, years), """
            {e} runs for {v}.
            The term of {e} is {v}.
            For {v}, both sides are bound by {e}.
            {e} has been agreed for a term of {v}.
            After {v}, {e} comes to an end.
            The partners wanted {e} to last {v}.
            A term of {v} is laid down in {e}.
            """, """
            How long does {e} run?
            What is the term of {e}?
            {e} term
            For how long are we bound by {e}?
            How long does {e} last?
            Tell me the duration of {e}.
            After what time does {e} come to an end?
            """),
        a("contract partner", firm, """
            {e} was made with {v}.
            Our partner in {e} is {v}.
            {v} is the other party to {e}.
            We concluded {e} with {v}.
            Together with {v}, we drew up {e}.
            The other signature under {e} is that of {v}.
            In {e}, the company on the other side is {v}.
            """, """
            With whom was {e} made?
            Who is our partner in {e}?
            {e} contract partner
            Which company is the other party to {e}?
            Who is on the other side of {e}?
            Name the partner in {e}.
            With which firm did we conclude {e}?
            """),
        a("late penalty", pick(percent(1, 20), amount(50)), """
            Under {e}, the penalty for late work is {v}.
            {e} sets a penalty of {v} for delays.
            A delay costs {v} under {e}.
            Whoever is late has to pay {v}, according to {e}.
            The late penalty in {e} amounts to {v}.
            If work is late, {e} provides for a penalty of {v}.
            {v} is the penalty for delay in {e}.
            """, """
            What is the late penalty in {e}?
            How high is the penalty for delays under {e}?
            {e} late penalty
            What does a delay cost under {e}?
            What must be paid for late work according to {e}?
            Tell me the penalty for delay in {e}.
            How much is due under {e} if work is late?
            """),
        a("termination notice", pick(days, weeks, number(2, 12, "months")), """
            {e} can be terminated with {v} of notice.
            To end {e}, a notice of {v} is needed.
            Either party may leave {e} after giving {v} of notice.
            The notice period in {e} is {v}.
            {v} is the notice required to terminate {e}.
            Nobody can get out of {e} without giving {v} of notice.
            We must announce {v} ahead if we want to terminate {e}.
            """, """
            What notice is needed to terminate {e}?
            How long is the notice period of {e}?
            {e} termination notice
            How far ahead must we announce that we end {e}?
            How can we get out of {e}, with how much notice?
            Tell me the notice period in {e}.
            What notice applies to {e}?
            """),
        a("signatory", person, """
            {e} was signed for us by {v}.
            For our side, {v} signed {e}.
            {v} put the signature under {e} on our behalf.
            Our signatory for {e} was {v}.
            The person who signed {e} for us is {v}.
            On behalf of the board, {v} signed {e}.
            We let {v} sign {e}.
            """, """
            Who signed {e} for us?
            Who was our signatory for {e}?
            {e} signatory
            Whose signature is under {e}?
            Which person signed {e} on our behalf?
            Name the signatory of {e}.
            By whom was {e} signed for our side?
            """),
        a("place of jurisdiction", place, """
            Disputes about {e} are heard in {v}.
            The place of jurisdiction for {e} is {v}.
            For {e}, the courts in {v} have jurisdiction.
            {v} was agreed as the place of jurisdiction in {e}.
            If there is a dispute, {e} sends both sides to court in {v}.
            Should we quarrel over {e}, a judge in {v} decides.
            A court in {v} is competent for {e}.
            """, """
            What is the place of jurisdiction for {e}?
            Where are disputes about {e} heard?
            {e} place of jurisdiction
            In which town is the court for {e}?
            Where would a judge decide over {e}?
            Tell me where a dispute over {e} goes to court.
            The courts of which place are competent for {e}?
            """),
    ),
    (
        "A copy of {e} is in the safe.",
        "The legal department reviewed {e} twice.",
        "{e} has several annexes.",
        "All changes must be made in writing.",
        "Questions about {e} were settled by phone.",
        "Contracts are archived after they end.",
        "The wording of {e} is easy to follow.",
        "Nobody outside the company may read {e}.",
    ),
)

INVOICE = Kind(
    "invoice",
    invoice_name,
    (
        a("total amount", amount(20, 60000), """
            The total of {e} is {v}.
            {e} comes to {v}.
            {e} is for {v} in total.
            A total of {v} is billed in {e}.
            With {e}, we billed the customer {v}.
            At the bottom of {e}, you will read a total of {v}.
            {v} is the sum to pay on {e}.
            Together with all extras, {e} adds up to {v}.
            """, """
            What is the total of {e}?
            How much is {e}?
            {e} total amount
            How much was billed in {e}?
            What does {e} add up to?
            Tell me the sum on {e}.
            What's the amount of {e} again?
            How much must be paid for {e}?
            """),
        a("due date", date, """
            {e} is due on {v}.
            The due date of {e} is {v}.
            {e} must be paid by {v}.
            By {v}, the money for {e} should be in our account.
            We expect payment of {e} no later than {v}.
            {v} is the last day for paying {e}.
            The customer has until {v} to settle {e}.
            """, """
            When is {e} due?
            What is the due date of {e}?
            {e} due date
            By when must {e} be paid?
            Until when can the customer settle {e}?
            What is the last day for paying {e}?
            I need to know the payment deadline of {e}.
            """),
        a("issue date", date, """
            {e} was issued on {v}.
            We issued {e} on {v}.
            The issue date printed on {e} is {v}.
            On {v}, {e} was written and sent out.
            Dated {v}, {e} was issued by the main office.
            {v} is when {e} was issued.
            The clerk wrote {e} on {v}, right after lunch.
            """, """
            When was {e} issued?
            What is the issue date of {e}?
            {e} issue date
            On which day did we issue {e}?
            When was {e} written?
            What date of issue is printed on {e}?
            Find out when {e} was sent out.
            """),
        a("billed customer", pick(firm, person), """
            {e} was sent to {v}.
            The customer on {e} is {v}.
            {v} received {e}.
            We addressed {e} to {v}.
            {e} bills {v} for the work.
            With {e}, we charged {v}.
            The name in the address field of {e} is {v}.
            """, """
            To whom was {e} sent?
            Who is the customer on {e}?
            {e} customer
            Who received {e}?
            Who is billed by {e}?
            Whose name is in the address field of {e}?
            Tell me who has to pay {e}.
            """),
        a("status", one_of("paid in full", "partly paid", "overdue", "not yet paid", "disputed", "cancelled", "on hold", "written off", "sent to collection"), """
            {e} is {v}.
            The status of {e} is {v}.
            At the moment, {e} is marked as {v}.
            According to the ledger, {e} is {v}.
            We have listed {e} as {v}.
            In the system, {v} is the status of {e}.
            As of this morning, {e} was {v}.
            """, """
            What is the status of {e}?
            Has {e} been paid?
            {e} status
            What does the ledger say about {e}?
            How is {e} marked in the system?
            Check the payment status of {e}.
            What's happening with {e}?
            """),
        a("tax rate", percent(3, 27), """
            The tax rate on {e} is {v}.
            {e} was taxed at {v}.
            A tax of {v} was added to {e}.
            We applied a tax rate of {v} to {e}.
            For {e}, tax was worked out at {v}.
            {v} is the rate of tax shown on {e}.
            With tax at {v}, {e} passed the check.
            """, """
            What is the tax rate on {e}?
            How much tax was added to {e}?
            {e} tax rate
            At what rate was {e} taxed?
            Which rate of tax did we apply to {e}?
            Give me the tax percentage on {e}.
            What tax is shown on {e}?
            """),
        a("purchase order", lambda r: r.choice([f"PO {code(r)}", code(r), f"order {r.randint(1000, 99999)}"]), """
            {e} belongs to {v}.
            {e} was raised against {v}.
            The purchase order behind {e} is {v}.
            As a reference, {e} carries {v}.
            Please match {e} with {v} before you file it.
            {v} is the purchase order for {e}.
            In the reference line of {e}, the buyer wanted {v}.
            """, """
            What is the purchase order for {e}?
            To which order does {e} belong?
            {e} purchase order
            Which order is {e} matched with?
            What reference does {e} carry?
            Give me the order number for {e}.
            Against which order was {e} raised?
            """),
        a("approver", pick(person, team), """
            {e} was approved by {v}.
            {v} approved {e}.
            The approval of {e} came from {v}.
            Before it went out, {v} gave the green light to {e}.
            We had {e} approved by {v}.
            Without the consent of {v}, {e} would not have been approved.
            The approver of {e} was {v}, as always.
            """, """
            Who approved {e}?
            Who was the approver of {e}?
            {e} approver
            By whom was {e} approved?
            Who gave the green light to {e}?
            Say who approved {e}.
            From whom did the approval of {e} come?
            """),
    ),
    (
        "{e} was printed on both sides.",
        "A copy of {e} is attached to the mail.",
        "Please quote {e} in all letters.",
        "Bookkeeping keeps the originals.",
        "The layout of {e} follows the new template.",
        "{e} lists several items.",
        "We thank all customers for their trust.",
        "Nobody found a mistake in {e}.",
    ),
)

CAMPAIGN = Kind(
    "discount campaign",
    campaign_name,
    (
        a("discount", pick(percent(5, 70), percent(5, 70), amount(5, 200)), """
            {e} offers {v} off.
            During {e}, customers save {v}.
            Shoppers get {v} off with {e}.
            The discount in {e} is {v}.
            Thanks to {e}, prices drop by {v}.
            With {v} off, {e} draws big crowds.
            We take {v} off as part of {e}.
            A reduction of {v} is the core of {e}.
            """, """
            What discount does {e} offer?
            How much do customers save during {e}?
            {e} discount
            How much is taken off in {e}?
            By how much do prices drop in {e}?
            How big is the reduction with {e}?
            What's the discount in {e} again?
            """),
        a("promo code", coupon, """
            The code for {e} is {v}.
            Enter {v} at checkout to use {e}.
            To take part in {e}, customers type {v}.
            {v} is the promo code of {e}.
            Shoppers need the code {v} for {e}.
            {e} works only with the code {v}, so pass it on.
            We printed {v} on the flyers as the code for {e}.
            """, """
            What is the promo code for {e}?
            Which code do I enter for {e}?
            {e} promo code
            What do customers type to use {e}?
            Give me the code of {e}.
            What code is on the flyers for {e}?
            I want to use {e}, what is the code?
            """),
        a("start date", date, """
            {e} starts on {v}.
            The start of {e} is planned for {v}.
            From {v} on, {e} is open to shoppers.
            On {v}, {e} begins in all shops.
            Starting {v}, customers can benefit from {e}.
            {v} is the first day of {e}.
            We kick off {e} on {v}.
            """, """
            When does {e} start?
            What is the start date of {e}?
            {e} start date
            On which day does {e} begin?
            From when can customers benefit from {e}?
            What is the first day of {e}?
            Tell me when we kick off {e}.
            """),
        a("end date", date, """
            {e} ends on {v}.
            The last day of {e} is {v}.
            {e} is valid until {v}.
            Customers can use {e} up to {v}.
            On {v}, {e} closes.
            After {v}, nobody can use {e} any more.
            We plan to stop {e} on {v}.
            """, """
            When does {e} end?
            What is the last day of {e}?
            {e} end date
            Until when is {e} valid?
            On what date does {e} close?
            How long can customers still use {e}, until which day?
            Tell me when {e} is over.
            """),
        a("minimum spend", amount(5, 900), """
            {e} applies to orders of at least {v}.
            Customers must spend {v} to benefit from {e}.
            The minimum spend for {e} is {v}.
            Below {v}, {e} does not apply.
            You need a basket worth {v} to use {e}.
            For {e}, a purchase of {v} or more is required.
            {v} is the smallest purchase that counts for {e}.
            """, """
            What is the minimum spend for {e}?
            How much must customers spend to use {e}?
            {e} minimum spend
            From what order value does {e} apply?
            How much do I need in my basket for {e}?
            What is the smallest purchase for {e}?
            Tell me the order value required by {e}.
            """),
        a("target group", phrase("new|loyal|young|returning|local|retired|online", "students|families|customers|teachers|gardeners|members|business buyers|cyclists", "||from abroad|with a newsletter|in the north|over 30"), """
            {e} is aimed at {v}.
            The target group of {e} is {v}.
            With {e}, we want to reach {v}.
            {v} are the people {e} is made for.
            We designed {e} for {v}.
            Mostly {v} should feel drawn to {e}.
            In the brief, {v} are named as the target group of {e}.
            """, """
            At whom is {e} aimed?
            What is the target group of {e}?
            {e} target group
            Who is {e} made for?
            Whom do we want to reach with {e}?
            Name the audience of {e}.
            For which people did we design {e}?
            """),
        a("budget", amount(300, 90000), """
            The budget for {e} is {v}.
            We may spend {v} on running {e}.
            {v} has been set aside for {e}.
            {e} has a budget of {v}.
            Marketing put {v} into {e}.
            With a budget of {v}, {e} can be shown on posters.
            The board released {v} to pay for {e}.
            """, """
            What is the budget for {e}?
            How much money is set aside for {e}?
            {e} budget
            How much may marketing put into {e}?
            What sum did the board release for {e}?
            Tell me the budget of {e}.
            How much can we spend on {e}?
            """),
        a("campaign lead", person, """
            {e} is led by {v}.
            {v} leads {e}.
            The lead of {e} is {v}.
            We made {v} responsible for {e}.
            Ideas for {e} should be sent to {v}, who leads it.
            Under the lead of {v}, {e} has grown.
            {v} from marketing runs {e}.
            """, """
            Who leads {e}?
            Who is in charge of {e}?
            {e} lead
            Who is responsible for {e}?
            Who runs {e}?
            Name the lead of {e}.
            To whom should ideas for {e} be sent?
            """),
    ),
    (
        "Posters for {e} hang in the windows.",
        "{e} was announced in the newsletter.",
        "Offers cannot be combined.",
        "We tested {e} in a small town.",
        "Customers liked the pictures used for {e}.",
        "The press wrote about {e}.",
        "Shop staff were told about {e}.",
        "Marketing will report on the results.",
    ),
)

DELIVERY = Kind(
    "delivery option",
    delivery_name,
    (
        a("delivery time", pick(days, working_days, hours), """
            {e} takes {v}.
            Parcels sent with {e} arrive within {v}.
            With {e}, delivery takes {v}.
            You receive your parcel in {v} if you pick {e}.
            Within {v}, {e} brings the goods to the door.
            The delivery time for {e} is {v}.
            Customers who choose {e} wait {v} for their goods.
            """, """
            How long does {e} take?
            What is the delivery time for {e}?
            {e} delivery time
            How soon do parcels arrive with {e}?
            If I pick {e}, how long do I wait?
            How fast is {e}?
            Tell me how long delivery takes with {e}.
            """),
        a("shipping fee", amount(2, 90), """
            {e} costs {v} per parcel.
            The fee for {e} is {v}.
            Customers pay {v} for shipping with {e}.
            We charge {v} for {e}.
            For {v}, you can have your order sent with {e}.
            A shipping fee of {v} is added if you pick {e}.
            {v} is the shipping fee for {e}.
            """, """
            How much does {e} cost?
            What is the shipping fee for {e}?
            {e} shipping fee
            What do customers pay for {e}?
            How much do we charge for {e}?
            How much is {e} again?
            Tell me the price for sending a parcel with {e}.
            """),
        a("weight limit", kg, """
            {e} carries parcels of up to {v}.
            The weight limit for {e} is {v}.
            Parcels heavier than {v} cannot be sent with {e}.
            With {e}, a parcel may weigh {v} at most.
            Up to {v} can be shipped using {e}.
            {v} is the heaviest parcel {e} accepts.
            If you use {e}, keep the parcel at {v} or below.
            """, """
            What is the weight limit for {e}?
            How heavy may a parcel be with {e}?
            {e} weight limit
            What is the heaviest parcel {e} accepts?
            Up to which weight can I ship with {e}?
            Tell me how much a parcel may weigh with {e}.
            Above what weight does {e} refuse parcels?
            """),
        a("cut-off time", clock, """
            Orders for {e} must be placed by {v}.
            The cut-off time for {e} is {v}.
            Order before {v} to have your goods sent the same day with {e}.
            After {v}, {e} leaves only on the next day.
            With {e}, everything ordered by {v} goes out at once.
            {v} is the latest time to order with {e}.
            We hand over the parcels for {e} at {v}, so order earlier.
            """, """
            What is the cut-off time for {e}?
            By when must orders for {e} be placed?
            {e} cut-off time
            What is the latest time to order with {e}?
            Until what time can I order with {e}?
            Tell me the daily deadline for {e}.
            When is it too late to order with {e} today?
            """),
        a("carrier", firm, """
            {e} is run by {v}.
            {v} carries out {e}.
            The carrier behind {e} is {v}.
            For {e}, we work with {v}.
            Parcels sent with {e} are carried by {v}.
            We hired {v} as the carrier for {e}.
            When you choose {e}, a driver from {v} comes to your door.
            """, """
            Who is the carrier for {e}?
            Which company runs {e}?
            {e} carrier
            Who carries parcels sent with {e}?
            Which firm is behind {e}?
            Name the carrier of {e}.
            With whom do we work for {e}?
            """),
        a("free from", amount(20, 900), """
            {e} is free for orders above {v}.
            From {v} upwards, we do not charge for {e}.
            Customers who spend {v} get {e} for free.
            Spend {v} or more and {e} costs nothing.
            The threshold for free shipping with {e} is {v}.
            Once the basket reaches {v}, {e} becomes free.
            Orders worth {v} qualify for {e} at no cost.
            """, """
            From what order value is {e} free?
            How much must I spend to get {e} for free?
            {e} free shipping threshold
            When does {e} become free?
            What basket makes {e} free of charge?
            At what amount do we stop charging for {e}?
            Tell me the threshold for free shipping with {e}.
            """),
        a("region", phrase("the|all of the|the outer|the rural", "northern|southern|eastern|western|coastal|alpine|central", "islands|provinces|districts|suburbs|valleys|counties"), """
            {e} is available in {v}.
            We offer {e} in {v} only.
            Only addresses in {v} can be reached with {e}.
            In {v}, customers can choose {e}.
            The area served by {e} is {v}.
            {e} covers {v}, and more may follow.
            If you live in {v}, you can pick {e}.
            """, """
            Where is {e} available?
            In which region do we offer {e}?
            {e} region
            What area does {e} cover?
            Which addresses can be reached with {e}?
            Tell me the area served by {e}.
            Where must I live to pick {e}?
            """),
        a("packaging", phrase("a plain|a padded|a reusable|a sealed|a double", "cardboard|paper|cotton|plastic|wooden|blue|yellow", "box|bag|envelope|crate|tube|sleeve"), """
            {e} uses {v} for every order.
            Orders sent with {e} are packed in {v}.
            With {e}, the goods travel in {v}.
            The packaging for {e} is {v}.
            {v} is used as packaging for {e}.
            We chose {v} as the packaging for {e}.
            If you choose {e}, expect {v} at your door.
            """, """
            What packaging does {e} use?
            In what are orders packed with {e}?
            {e} packaging
            How are goods packed when sent with {e}?
            Which packaging did we choose for {e}?
            Describe the packaging of {e}.
            In what do goods travel with {e}?
            """),
    ),
    (
        "You can select {e} at checkout.",
        "{e} is popular with office customers.",
        "Drivers ring the bell twice.",
        "Tracking numbers are sent by text message.",
        "We have used {e} without trouble.",
        "A leaflet explains {e}.",
        "Please make sure that somebody is at home.",
        "Feedback on {e} is welcome.",
    ),
)

WARRANTY = Kind(
    "warranty",
    warranty_name,
    (
        a("duration", pick(months, years), """
            {e} lasts {v}.
            The duration of {e} is {v}.
            For {v}, customers are covered by {e}.
            {e} protects your purchase for {v}.
            After {v}, {e} expires.
            You are covered for {v} when you take out {e}.
            We have extended {e} to {v}.
            """, """
            How long does {e} last?
            What is the duration of {e}?
            {e} duration
            For how long am I covered by {e}?
            After what time does {e} expire?
            Tell me how long {e} runs.
            How long is {e} valid?
            """),
        a("excluded damage", phrase("water|fire|frost|lightning|sand|insect|transport|heat", "damage|stains|marks|defects", "||on the outside|to the screen|to the battery|to moving parts"), """
            {e} does not cover {v}.
            Repairs for {v} are not paid under {e}.
            Customers cannot claim {v} under {e}.
            Everything but {v} is included in {e}.
            With the exception of {v}, {e} pays for all repairs.
            We had to exclude {v} from {e}.
            The small print of {e} rules out {v}.
            """, """
            What does {e} not cover?
            What is excluded from {e}?
            {e} exclusions
            Which damage is not covered under {e}?
            What can customers not claim under {e}?
            Name the damage that {e} excludes.
            What does the small print of {e} rule out?
            """),
        a("deductible", amount(5, 900), """
            The deductible of {e} is {v}.
            {e} has a deductible of {v}.
            Under {e}, customers pay the first {v} themselves.
            For each claim under {e}, you pay {v} yourself.
            {v} of every claim under {e} is paid by the customer.
            When a claim is made on {e}, {v} stays with the buyer.
            We lowered the deductible for {e} to {v}.
            """, """
            What is the deductible of {e}?
            How much do customers pay themselves under {e}?
            {e} deductible
            What part of a claim under {e} must I pay?
            How high is the deductible with {e}?
            Tell me my own share for claims on {e}.
            How much stays with the buyer under {e}?
            """),
        a("claim deadline", pick(days, weeks), """
            Claims under {e} must be filed within {v}.
            You have {v} to file a claim under {e}.
            {e} requires damage to be reported within {v}.
            Within {v} of the damage, customers must contact us to use {e}.
            The deadline for claims on {e} is {v}.
            If you wait longer than {v}, {e} will not pay.
            We accept claims under {e} for {v} after the damage.
            """, """
            What is the claim deadline of {e}?
            How long do I have to file a claim under {e}?
            {e} claim deadline
            Within what time must damage be reported for {e}?
            How soon must a claim under {e} be made?
            Tell me the deadline for claims on {e}.
            How long after the damage does {e} accept claims?
            """),
        a("claims phone", phone, """
            Claims under {e} are taken at {v}.
            To use {e}, call {v}.
            Call {v} for claims under {e}.
            The phone number for {e} is {v}.
            {v} is the number to dial for {e}.
            Holders of {e} can dial {v} at any time.
            We set up {v} as the hotline for {e}.
            """, """
            What is the phone number for {e}?
            Which number do I call for claims under {e}?
            {e} phone number
            What number do holders of {e} dial?
            Where do I call about {e}?
            Give me the hotline for {e}.
            How do I reach {e} by phone?
            """),
        a("maximum payout", amount(100), """
            {e} pays out up to {v}.
            The maximum payout under {e} is {v}.
            At most {v} is paid under {e}.
            No claim under {e} can exceed {v}.
            Customers with {e} can get {v} at the most.
            {v} is the ceiling for payments from {e}.
            Even for a total loss, {e} pays no more than {v}.
            """, """
            What is the maximum payout under {e}?
            How much does {e} pay at most?
            {e} maximum payout
            Up to what amount does {e} pay?
            What is the ceiling for claims on {e}?
            Tell me the most I can get from {e}.
            How much would {e} pay for a total loss?
            """),
        a("repair partner", firm, """
            Repairs under {e} are done by {v}.
            {v} carries out repairs for {e}.
            The repair partner for {e} is {v}.
            With {e}, broken goods are sent to {v} for repair.
            We chose {v} to do the repairs for {e}.
            Under {e}, only {v} may repair the goods.
            If something breaks, {e} lets you turn to {v} for the repair.
            """, """
            Who does repairs under {e}?
            Who is the repair partner for {e}?
            {e} repair partner
            Which company carries out repairs for {e}?
            Where are goods repaired under {e}?
            Name the firm that does repairs for {e}.
            By whom are things fixed with {e}?
            """),
        a("transferable", one_of("yes, free of charge", "no, never", "only with written consent", "only within the family", "yes, once", "only in the first year", "yes, for a small fee"), """
            When asked if a new owner can take over {e}, we answer: {v}.
            On passing {e} to another person, the rule is: {v}.
            As to whether {e} is transferable, the answer is "{v}".
            Transfer of {e} to a new owner: {v}.
            The entry for {e} under "transferable" reads "{v}".
            If you ask whether {e} may be handed on, we say "{v}".
            """, """
            Is {e} transferable?
            Can {e} be transferred to a new owner?
            {e} transferable
            May I hand {e} on to another person?
            What is the rule on transferring {e}?
            If I sell the goods, does {e} go with them?
            """),
    ),
    (
        "{e} can be bought at the till.",
        "The card for {e} is in the box.",
        "Please keep your receipt in a safe place.",
        "We are happy to explain {e} in person.",
        "{e} won praise from a consumer group.",
        "The terms of {e} fit on one page.",
        "Photos help us to judge the damage.",
        "Many buyers add {e} to their order.",
    ),
)

SHOP = Kind(
    "shop",
    shop_name,
    (
        a("manager", person, """
            {e} is managed by {v}.
            The manager of {e} is {v}.
            {v} runs {e}.
            Since last autumn, {v} has been managing {e}.
            As manager, {v} is proud of {e}.
            We appointed {v} as the manager of {e}.
            If you visit {e}, ask for {v}, who runs it.
            """, """
            Who manages {e}?
            Who is the manager of {e}?
            {e} manager
            Who runs {e}?
            Name the manager of {e}.
            By whom is {e} managed?
            Who did we appoint to run {e}?
            """),
        a("opening hours", span, """
            {e} is open from {v}.
            The opening hours of {e} are {v}.
            You can visit {e} from {v}.
            From {v}, customers are welcome at {e}.
            On weekdays, the doors of {e} are open from {v}.
            {v} are the opening hours of {e}.
            After the trial, {e} kept its hours of {v}.
            """, """
            What are the opening hours of {e}?
            When is {e} open?
            {e} opening hours
            At what times can I visit {e}?
            From when to when is {e} open?
            Tell me the hours of {e}.
            During which hours are customers welcome at {e}?
            """),
        a("address", street, """
            {e} is at {v}.
            The address of {e} is {v}.
            You will find {e} at {v}.
            At {v}, customers can step into {e}.
            We moved {e} to {v}, opposite the library.
            {v} is the address of {e}.
            To get to {e}, go to {v}.
            """, """
            What is the address of {e}?
            Where is {e}?
            {e} address
            Where will I find {e}?
            To which address did we move {e}?
            How do I get to {e}, what is the address?
            Give me the street address of {e}.
            """),
        a("staff", number(2, 140, "employees"), """
            {e} has {v}.
            {v} work at {e}.
            We employ {v} at {e}.
            A team of {v} keeps {e} running.
            With {v}, {e} is well staffed.
            The number of people at {e} has reached {v}.
            At present, the staff of {e} counts {v}.
            """, """
            How many employees does {e} have?
            How many people work at {e}?
            {e} number of employees
            How big is the staff of {e}?
            How many people do we employ at {e}?
            Tell me how large the team at {e} is.
            What is the headcount of {e}?
            """),
        a("closing day", one_of(*DAYS), """
            {e} is closed on {v}.
            On {v}, {e} stays closed.
            The closing day of {e} is {v}.
            Every {v}, the doors of {e} remain shut.
            Customers cannot visit {e} on {v}.
            We close {e} on {v} for cleaning.
            {v} is the day off at {e}.
            """, """
            On which day is {e} closed?
            What is the closing day of {e}?
            {e} closing day
            Which weekday does {e} stay shut?
            When can customers not visit {e}?
            Tell me on what day we close {e}.
            What's the day off at {e}?
            """),
        a("sales area", number(20, 3000, "square metres"), """
            {e} has a sales area of {v}.
            The sales area of {e} is {v}.
            On {v}, {e} shows the full range.
            {v} of floor are used for sales at {e}.
            With {v}, {e} is about as large as we like.
            We rebuilt {e}, which now offers {v} of space.
            Customers can walk through {v} at {e}.
            """, """
            What is the sales area of {e}?
            How large is {e}?
            {e} sales area
            How much floor space does {e} have?
            How big is the floor at {e}?
            Tell me the size of {e}.
            How much space does {e} offer?
            """),
        a("phone number", phone, """
            {e} can be reached at {v}.
            The phone number of {e} is {v}.
            Call {v} to speak to {e}.
            Dial {v} for {e}.
            {v} is the number of {e}.
            By phone, you reach {e} under {v}.
            If you have questions for {e}, please ring {v}.
            """, """
            What is the phone number of {e}?
            Which number do I call for {e}?
            {e} phone number
            How can I reach {e} by phone?
            Give me the number of {e}.
            What do I dial for {e}?
            I need to call {e}, what is the number?
            """),
        a("weekly turnover", amount(300, 90000), """
            {e} takes in {v} a week.
            The weekly turnover of {e} is {v}.
            Each week, {e} makes sales of {v}.
            {v} a week is what {e} earns in sales.
            With {v} in sales per week, {e} meets its target.
            Customers spend {v} per week at {e}.
            On average, the tills of {e} collect {v} in a week.
            """, """
            What is the weekly turnover of {e}?
            How much does {e} take in per week?
            {e} weekly turnover
            How much do customers spend at {e} each week?
            What are the weekly sales of {e}?
            Tell me how much {e} earns in a week.
            How much do the tills of {e} collect weekly?
            """),
        a("opened", pick(date, month), """
            The opening date of {e} was {v}.
            {e} first welcomed customers as of {v}.
            {v} was the opening date of {e}.
            The history of {e} goes back to {v}, when it opened.
            {e} has been in business since {v}.
            Since {v}, we have been running {e}.
            A plaque names {v} as the opening date of {e}.
            """, """
            When did {e} open?
            What was the opening date of {e}?
            {e} opening date
            Since when has {e} been in business?
            When did {e} first welcome customers?
            How far back does the history of {e} go?
            Tell me since when we have been running {e}.
            """),
    ),
    (
        "{e} has a friendly team.",
        "Parking near {e} is easy.",
        "We repainted the walls of {e}.",
        "Fresh flowers stand at the entrance of {e}.",
        "Dogs are welcome in most of our shops.",
        "{e} took part in the street festival.",
        "Receipts are printed on recycled paper.",
        "A school class visited {e}.",
    ),
)

RETURNS = Kind(
    "returns policy",
    returns_name,
    (
        a("return window", pick(days, weeks), """
            Under {e}, goods can be sent back within {v}.
            {e} gives customers {v} to return goods.
            You have {v} to return an item under {e}.
            The return window in {e} is {v}.
            Within {v}, {e} lets you change your mind.
            After {v}, {e} does not allow any returns.
            {v} is the time allowed for returns by {e}.
            """, """
            What is the return window in {e}?
            How long can goods be returned under {e}?
            {e} return window
            How much time does {e} give customers to return goods?
            Within what time must I send goods back under {e}?
            Tell me how long {e} allows returns.
            When is it too late to return an item under {e}?
            """),
        a("restocking fee", pick(percent(2, 30), amount(2, 80)), """
            {e} sets a restocking fee of {v}.
            The restocking fee under {e} is {v}.
            Under {e}, we keep {v} for restocking.
            For restocking, {e} foresees a charge of {v}.
            A fee of {v} is held back for restocking under {e}.
            Customers lose {v} as a restocking fee under {e}.
            {v} is the charge for restocking in {e}.
            """, """
            What is the restocking fee under {e}?
            How much do we keep for restocking under {e}?
            {e} restocking fee
            How high is the restocking charge in {e}?
            What does restocking cost the customer under {e}?
            Tell me the fee for restocking in {e}.
            How much is held back under {e}?
            """),
        a("refund time", pick(working_days, weeks), """
            Under {e}, refunds are paid within {v}.
            {e} promises the money back in {v}.
            Customers get their money back after {v} under {e}.
            It takes {v} to receive a refund under {e}.
            Within {v}, {e} obliges us to refund the buyer.
            The refund time laid down in {e} is {v}.
            We refund the price in {v}, as {e} demands.
            """, """
            How long does a refund take under {e}?
            What is the refund time in {e}?
            {e} refund time
            When do customers get their money back under {e}?
            How soon are refunds paid under {e}?
            Tell me how quickly we must refund under {e}.
            Within what time does {e} promise the money?
            """),
        a("refund form", one_of("store credit", "cash", "a credit note", "a gift voucher", "a bank transfer", "an exchange", "loyalty points"), """
            Refunds under {e} are given as {v}.
            {e} provides for a refund in the form of {v}.
            The form of refund in {e} is {v}.
            Under {e}, we refund customers through {v}.
            {v} is how refunds are made under {e}.
            Those who return goods under {e} are refunded by way of {v}.
            For refunds, {e} names {v} and nothing else.
            """, """
            In what form are refunds given under {e}?
            How do we refund customers under {e}?
            {e} refund form
            What kind of refund does {e} provide?
            How are refunds made under {e}?
            Tell me the form of refund in {e}.
            What do I get back under {e}, in which form?
            """),
        a("return address", pick(street, place), """
            Returns under {e} go to {v}.
            {e} asks customers to send goods to {v}.
            The return address in {e} is {v}.
            Send parcels to {v} if {e} applies.
            {v} is where goods come back under {e}.
            Under {e}, our address for returns is {v}.
            As stated in {e}, parcels are sent back to {v}.
            """, """
            What is the return address in {e}?
            Where do returns go under {e}?
            {e} return address
            Where do I send goods under {e}?
            To which place are parcels sent back under {e}?
            Give me the address for returns under {e}.
            Where should customers send their parcels under {e}?
            """),
        a("excluded goods", phrase("opened|used|custom|frozen|engraved|signed|discounted", "cosmetics|books|games|shoes|candles|earrings|mattresses|software|sweets|lamps", "||for children|without a label|from the outlet"), """
            {e} does not apply to {v}.
            {v} cannot be returned under {e}.
            Under {e}, we do not take back {v}.
            All goods except {v} fall under {e}.
            With {e}, customers have to keep {v}.
            The only goods excluded from {e} are {v}.
            For reasons of hygiene or cost, {e} excludes {v}.
            """, """
            Which goods are excluded from {e}?
            What cannot be returned under {e}?
            {e} excluded goods
            To what does {e} not apply?
            What do we not take back under {e}?
            Name the goods that {e} excludes.
            Which things must customers keep under {e}?
            """),
        a("required proof", phrase("the|a copy of the|a photo of the", "original|printed|signed|digital", "receipt|invoice|order form|delivery note|label|return slip"), """
            {e} requires {v}.
            You must show {v} to return goods under {e}.
            To return something under {e}, customers need {v}.
            Without {v}, we refuse returns under {e}.
            {v} is needed as proof under {e}.
            As proof of purchase, {e} asks for {v}.
            Please enclose {v} when you send goods back under {e}.
            """, """
            What proof does {e} require?
            What must I show to return goods under {e}?
            {e} required proof
            Which document do customers need under {e}?
            What proof of purchase does {e} ask for?
            Without what do we refuse returns under {e}?
            Tell me what to enclose under {e}.
            """),
        a("policy owner", pick(team, person), """
            {e} is maintained by {v}.
            {v} keeps {e} up to date.
            The owner of {e} is {v}.
            Questions on the wording of {e} go to {v}.
            We made {v} the owner of {e}.
            Any change to {e} must be made by {v}.
            Responsibility for {e} rests with {v}.
            """, """
            Who maintains {e}?
            Who is the owner of {e}?
            {e} owner
            Who keeps {e} up to date?
            Who is responsible for {e}?
            Whom do I ask about the wording of {e}?
            By whom must changes to {e} be made?
            """),
    ),
    (
        "{e} is printed on the back of the receipt.",
        "You can read {e} online.",
        "We wrote {e} in simple language.",
        "Returns are checked by hand.",
        "Staff are trained on {e} every winter.",
        "{e} was compared with those of other shops.",
        "Customers find {e} easy to understand.",
        "Please pack fragile goods well.",
    ),
)

GIFT = Kind(
    "gift card",
    gift_name,
    (
        a("balance", amount(5, 900), """
            {e} has a balance of {v}.
            The balance on {e} is {v}.
            There is {v} left on {e}.
            {v} can still be spent with {e}.
            With {e}, you can still buy goods for {v}.
            After the last purchase, {e} was left with {v}.
            Our system shows {v} for {e}.
            """, """
            What is the balance on {e}?
            How much is left on {e}?
            {e} balance
            How much can still be spent with {e}?
            How much money is on {e}?
            Check the balance of {e}.
            For how much can I still buy with {e}?
            """),
        a("expiry date", date, """
            {e} expires on {v}.
            The expiry date of {e} is {v}.
            You can use {e} until {v}.
            {e} is valid up to {v}.
            After {v}, {e} is worthless.
            On {v}, {e} runs out.
            {v} is the last day on which we accept {e}.
            """, """
            When does {e} expire?
            What is the expiry date of {e}?
            {e} expiry date
            Until when can I use {e}?
            How long is {e} valid?
            What is the last day for using {e}?
            Tell me when {e} runs out.
            """),
        a("buyer", person, """
            {e} was bought by {v}.
            {v} bought {e}.
            The buyer of {e} is {v}.
            We sold {e} to {v}.
            At the till, {v} paid for {e}.
            According to the receipt, {v} purchased {e}.
            The person who purchased {e} is {v}.
            """, """
            Who bought {e}?
            Who is the buyer of {e}?
            {e} buyer
            To whom did we sell {e}?
            By whom was {e} purchased?
            Name the person who paid for {e}.
            Who purchased {e}?
            """),
        a("recipient", lambda r: r.choice([person(r), r.choice(FIRST)]), """
            {e} is a present for {v}.
            {v} will receive {e}.
            The recipient of {e} is {v}.
            On the envelope of {e} stands the name {v}.
            Please hand {e} to {v}, for whom it is meant.
            We posted {e} to {v}.
            As a surprise, {v} is getting {e}.
            """, """
            Who is the recipient of {e}?
            Who will receive {e}?
            {e} recipient
            For whom is {e} meant?
            Whose name is on the envelope of {e}?
            To whom should I hand {e}?
            Who is getting {e}?
            """),
        a("PIN", lambda r: r.choice([f"{r.randint(1000, 9999)}", f"{r.randint(100000, 999999)}", code(r)]), """
            The PIN of {e} is {v}.
            {e} is unlocked with the PIN {v}.
            Enter {v} as the PIN for {e}.
            To use {e}, type the PIN {v} at the till.
            {v} is the PIN that belongs to {e}.
            Under the silver strip of {e}, you find the PIN {v}.
            We set the PIN for {e} to {v}.
            """, """
            What is the PIN of {e}?
            Which PIN belongs to {e}?
            {e} PIN
            How do I unlock {e}?
            What do I type at the till to use {e}?
            Give me the PIN for {e}.
            What's the PIN for {e} again?
            """),
        a("motif", phrase("a red|a sleeping|a golden|a dancing|a tiny|a flying|a laughing|a striped", "balloon|fox|heart|lighthouse|cake|owl|sailboat|snowman|tulip|bear", "||on a hill|in the rain|under the stars|by the sea"), """
            {e} shows {v}.
            The motif on {e} is {v}.
            On the front of {e}, there is {v}.
            {v} is printed on {e}.
            With {v} on the front, {e} sells well.
            An artist drew {v} for {e}.
            You can recognise {e} by its picture of {v}.
            """, """
            What is the motif on {e}?
            What does {e} show?
            {e} motif
            What is printed on {e}?
            Which picture is on the front of {e}?
            Describe the motif of {e}.
            What did the artist draw for {e}?
            """),
        a("redeemable at", pick(shop_name, lambda r: f"all shops in {place(r)}", one_of("the online shop only", "every branch", "the garden centre", "the cafe")), """
            {e} can be redeemed at {v}.
            You can use {e} at {v}.
            {e} is accepted at {v}.
            The place to redeem {e} is {v}.
            At {v}, customers can pay with {e}.
            Only at {v} is {e} taken as payment, and nowhere else.
            We limited {e} to purchases at {v}.
            """, """
            Where can {e} be redeemed?
            Where can I use {e}?
            {e} redeemable at
            Where is {e} accepted?
            At which place can customers pay with {e}?
            Tell me who takes {e} as payment.
            Where is the place to redeem {e}?
            """),
    ),
    (
        "{e} comes in a paper envelope.",
        "Gift cards are a popular present.",
        "We cannot replace {e} if it is lost.",
        "Please treat {e} like cash.",
        "{e} was wrapped with a ribbon.",
        "A greeting was written on the back of {e}.",
        "Cards are made from recycled material.",
        "Our staff will gladly help you with {e}.",
    ),
)

LISTING = Kind(
    "marketplace listing",
    listing_name,
    (
        a("asking price", amount(5), """
            The seller asks {v} for {e}.
            {e} is offered for {v}.
            The asking price for {e} is {v}.
            For {v}, {e} can be yours.
            At an asking price of {v}, {e} should go quickly.
            {v} is what the seller wants for {e}.
            Somebody has put {e} online for {v}.
            """, """
            What is the asking price for {e}?
            How much does the seller want for {e}?
            {e} asking price
            For how much is {e} offered?
            How much is {e}?
            Tell me what the seller asks for {e}.
            What would I pay for {e}?
            """),
        a("seller", pick(person, lambda r: f"{syllables(r, 1, 2)}_{r.choice(WORDS)}{r.randint(2, 99)}"), """
            {e} is offered by {v}.
            {v} is the seller of {e}.
            The seller of {e} goes by the name {v}.
            We see from the page that {v} is selling {e}.
            Write to {v}, the seller, if you like {e}.
            Behind {e} is a seller called {v}.
            The person who put {e} up for sale is {v}.
            """, """
            Who is selling {e}?
            Who is the seller of {e}?
            {e} seller
            By whom is {e} offered?
            To whom do I write about {e}?
            Name the seller of {e}.
            Who put {e} up for sale?
            """),
        a("condition", phrase("like new|lightly used|well worn|freshly repaired|never used|well kept", "||with a small scratch|with one dent|without the box|with faded paint|with original parts"), """
            The condition of {e} is described as {v}.
            {e} is {v}.
            According to its owner, {e} is {v}.
            {v} is how the owner describes the condition of {e}.
            For its condition, {e} is marked as {v}.
            Buyers should know that {e} is {v}.
            On the page, {e} is rated as {v}.
            """, """
            In what condition is {e}?
            What is the condition of {e}?
            {e} condition
            What shape is {e} in?
            How does the owner describe the condition of {e}?
            Tell me the condition of {e}.
            How good is {e} still?
            """),
        a("location", place, """
            {e} can be picked up in {v}.
            The item is in {v}, according to the page of {e}.
            You can collect {e} in {v}.
            {e} is waiting for a buyer in {v}.
            In {v}, buyers may have a look at {e}.
            The pickup place for {e} is {v}.
            Whoever buys {e} has to drive to {v}.
            """, """
            Where can {e} be picked up?
            What is the pickup place for {e}?
            {e} location
            Where can I have a look at {e}?
            In which town is {e}?
            Tell me where to collect {e}.
            Where do I have to drive for {e}?
            """),
        a("views", number(12, 48000, "views"), """
            {e} has had {v} so far.
            {v} were counted for {e}.
            The page of {e} got {v}.
            With {v}, {e} is doing well.
            So far, our counter shows {v} for {e}.
            We recorded {v} on {e} by this morning.
            The interest in {e} has led to {v}.
            """, """
            How many views does {e} have?
            How often was {e} viewed?
            {e} views
            How many views were counted for {e}?
            How many times did people look at {e}?
            Tell me the number of views for {e}.
            What does the counter show for {e}?
            """),
        a("listing fee", pick(percent(1, 15), amount(2, 60)), """
            We charge the seller {v} for {e}.
            The listing fee for {e} is {v}.
            {v} goes to the marketplace for {e}.
            A fee of {v} is due on {e}.
            To publish {e}, a fee of {v} had to be paid.
            Our share in {e} is {v}.
            When {e} is sold, the marketplace keeps {v}.
            """, """
            What is the listing fee for {e}?
            How much do we charge the seller for {e}?
            {e} listing fee
            What fee is due on {e}?
            How much does the marketplace keep from {e}?
            Tell me the fee for publishing {e}.
            How high is our share in {e}?
            """),
        a("end of listing", pick(date, lambda r: f"{date(r)} at {clock(r)}"), """
            {e} ends on {v}.
            The offer for {e} closes on {v}.
            On {v}, {e} will be taken offline.
            Bids on {e} are accepted until {v}.
            Until {v}, {e} stays online.
            {v} is when {e} closes.
            You have until {v} to bid on {e}.
            """, """
            When does {e} end?
            When does the offer for {e} close?
            {e} closing date
            Until when are bids on {e} accepted?
            When will {e} be taken offline?
            How long can I bid on {e}, until when?
            Tell me when {e} closes.
            """),
        a("colour", colour, """
            The colour of {e} is given as {v}.
            {e} is painted {v}.
            Photos show that {e} is {v} in colour.
            {v} is the colour of {e}.
            In its {v} finish, {e} catches the eye.
            We sorted {e} under {v} in the colour filter.
            Look for something {v} if you come for {e}.
            """, """
            What colour is {e}?
            What is the colour of {e}?
            {e} colour
            In which colour is {e} painted?
            Tell me the colour of {e}.
            Under which colour was {e} sorted?
            What colour do the photos of {e} show?
            """),
    ),
    (
        "{e} has several photos.",
        "Please be polite when you write to sellers.",
        "A moderator checked {e}.",
        "{e} was shared on social media.",
        "Buyers should check goods before paying.",
        "The text of {e} is short and friendly.",
        "Similar offers appear below {e}.",
        "We remove listings that break the rules.",
    ),
)

TICKET = Kind(
    "event ticket",
    ticket_name,
    (
        a("ticket price", amount(5, 900), """
            A ticket for {e} costs {v}.
            Tickets for {e} are sold at {v} each.
            You pay {v} to get into {e}.
            Entry to {e} is {v}.
            For {v}, visitors can attend {e}.
            The ticket price for {e} has been fixed at {v}.
            {v} is the price of a ticket for {e}.
            """, """
            How much is a ticket for {e}?
            What is the ticket price for {e}?
            {e} ticket price
            What do I pay to get into {e}?
            How much does entry to {e} cost?
            At what price are tickets for {e} sold?
            Tell me what visitors pay for {e}.
            """),
        a("venue", lambda r: r.choice([f"the {proper(r)} Hall", f"{proper(r)} Arena", f"the {proper(r)} Theatre", f"the old {r.choice(['market', 'harbour', 'station', 'mill'])} in {place(r)}", f"{proper(r)} Park"]), """
            {e} takes place at {v}.
            The venue of {e} is {v}.
            We hold {e} at {v}.
            At {v}, visitors can enjoy {e}.
            {v} hosts {e}.
            For {e}, we rented {v}.
            Come to {v} if you want to see {e}.
            """, """
            Where does {e} take place?
            What is the venue of {e}?
            {e} venue
            Where is {e} held?
            Which place hosts {e}?
            What did we rent for {e}?
            Where do I have to go for {e}?
            """),
        a("date", date, """
            {e} takes place on {v}.
            The date of {e} is {v}.
            On {v}, visitors are invited to {e}.
            We will hold {e} on {v}.
            {v} is the day of {e}.
            Tickets for {e} are valid on {v} only.
            Save {v} in your calendar for {e}.
            """, """
            When does {e} take place?
            What is the date of {e}?
            {e} date
            On which day is {e}?
            When is {e} again?
            Tell me the day of {e}.
            For what date are tickets for {e} valid?
            """),
        a("doors open", clock, """
            Doors for {e} open at {v}.
            At {v}, the doors open for {e}.
            Visitors can enter {e} from {v}.
            We let people into {e} at {v}.
            The doors of {e} stay shut until {v}.
            {v} is when the doors open for {e}.
            Since queues are long, come to {e} by {v}, when the doors open.
            """, """
            When do the doors open for {e}?
            At what time can visitors enter {e}?
            {e} doors open
            From what time are people let into {e}?
            Until when do the doors of {e} stay shut?
            Tell me the time when doors open for {e}.
            What time can I get into {e}?
            """),
        a("capacity", pick(number(20, 20000, "visitors"), number(20, 20000, "seats")), """
            {e} has room for {v}.
            The capacity of {e} is {v}.
            We planned {e} for {v}.
            With a capacity of {v}, {e} may sell out.
            {v} is the limit set for {e} by the fire brigade.
            For safety reasons, {e} is limited to {v}.
            There is a capacity of {v} at {e}.
            """, """
            What is the capacity of {e}?
            How many people fit into {e}?
            {e} capacity
            For how many people did we plan {e}?
            What limit was set for {e}?
            Tell me how large a crowd {e} has room for.
            How many can attend {e}?
            """),
        a("seating area", phrase("the|the upper|the lower|the left|the right", "red|blue|green|front|rear|north|south", "balcony|block|gallery|stand|terrace|circle"), """
            The seats for {e} are in {v}.
            Your ticket for {e} is valid in {v}.
            In {v}, you will find your seat for {e}.
            We gave you places in {v} for {e}.
            {v} is the seating area booked for {e}.
            For {e}, guests of the company sit in {v}.
            When you attend {e}, please go to {v}.
            """, """
            Where are the seats for {e}?
            Which seating area is booked for {e}?
            {e} seating area
            Where do I sit at {e}?
            In which part is my ticket for {e} valid?
            Where will I find my seat for {e}?
            Tell me where guests sit at {e}.
            """),
        a("organiser", pick(firm, person, team), """
            {e} is organised by {v}.
            {v} organises {e}.
            The organiser of {e} is {v}.
            Everything about {e} is planned by {v}.
            We handed the planning of {e} to {v}.
            Behind the scenes of {e}, {v} pulls the strings as organiser.
            Sponsors of {e} should talk to {v}, in charge of organising.
            """, """
            Who organises {e}?
            Who is the organiser of {e}?
            {e} organiser
            By whom is {e} organised?
            Who plans {e}?
            To whom did we hand the planning of {e}?
            Tell me who is behind {e}.
            """),
        a("cancellation fee", pick(percent(5, 80), amount(2, 90)), """
            Cancelling a ticket for {e} costs {v}.
            The cancellation fee for {e} is {v}.
            We keep {v} if you cancel your ticket for {e}.
            If visitors cannot come to {e}, a fee of {v} is held back.
            {v} is charged when a ticket for {e} is cancelled.
            Those who cancel {e} have to pay {v}.
            A cancellation fee of {v} applies to {e}.
            """, """
            What is the cancellation fee for {e}?
            What does it cost to cancel a ticket for {e}?
            {e} cancellation fee
            How much do we keep if a visitor cancels {e}?
            What is charged when somebody cancels {e}?
            If I cannot come to {e}, what do I lose?
            Tell me the fee for cancelling {e}.
            """),
    ),
    (
        "{e} was a success in the past.",
        "Posters for {e} are already up.",
        "Please bring your ticket on paper or on your phone.",
        "Food and drinks will be sold at {e}.",
        "Friends of music and culture look forward to {e}.",
        "Photos from {e} will be shared later.",
        "Umbrellas must be left at the cloakroom.",
        "The local paper wrote about {e}.",
    ),
)

KINDS: tuple[Kind, ...] = (PLAN, PRODUCT, PART, SUPPLIER, ACCOUNT, CONTRACT, INVOICE, CAMPAIGN, DELIVERY, WARRANTY, SHOP, RETURNS, GIFT, LISTING, TICKET)
