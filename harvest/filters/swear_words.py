"""Coarse words that offend whatever is meant by them, by language. Words that are mostly used in another sense, such as
"cock", "hell" or "Schwanz", are not listed: dropping them would drop farms, churches and cats."""

EVERYWHERE = "bullshit fuck fucked fucker fuckin fucking fucks motherfucker motherfuckers motherfucking shit shitty"
"""English words that speakers of other languages use as they are, and that mean nothing else there."""

SWEAR_WORDS = {
    "en": """
        arsehole arseholes asshole assholes bastard bastards bitch bitches bitching cocksucker cocksuckers cunt cunts
        dickhead dickheads faggot faggots fuckers goddamn horseshit nigga niggas nigger niggers piss pissing pussies
        retard retards shits shitted shitting slut sluts twat twats wank wanker wankers whore whores f*** f**k f*ck
        f**king f*cking s*** s**t sh*t sh*tty b*tch b**** c*nt c***""",
    "de": """
        arsch arschloch arschlöcher beschissen beschissene beschissener drecksau fick ficken ficker fickt fotze fotzen
        gefickt hurensohn hurensöhne kacke miststück mistkerl nutte nutten pisser scheiß scheiße scheissen
        scheissdreck scheißdreck scheißen scheißt schlampe schlampen verfickt verfickte verpiss wichser wixer""",
    "es": """
        cabrón cabrona cabrones carajo chingada chingar chingue coño culero gilipollas hijueputa joder jodido jodida
        malparido mamón mierda pendeja pendejo pendejos puta putas puto putos verga""",
    "fr": """
        bordel branleur branleurs connard connards connasse connasses couilles emmerde emmerder encule enculé enculés
        enfoiré enfoirés foutre merde merdes merdique niquer nique pétasse pétasses pute putes putain putains salaud
        salauds salope salopes""",
    "it": """
        bastardo bastardi cazzo cazzi cazzata cazzate coglione coglioni culo fanculo figa fottere fottuto fottuta
        merda merde minchia puttana puttane stronza stronze stronzi stronzo troie vaffanculo""",
    "nl": """
        godverdomme hoer hoeren klootzak klootzakken kut kutwijf lul neuken verdomme""",
    "pl": """
        chuj chuja dupa dziwka jebać jebany jebana kurwa kurwy kurwą pierdol pierdolić pierdolony skurwiel skurwysyn
        spierdalaj wkurwiony zajebisty""",
    "pt": """
        buceta caralho cuzão foda foder fodido fodida merda porra puta putaria putas vadia viado""",
    "ru": """
        блядь блять бля ебать ебал ебаный ёбаный ебануть заебал заебись мудак мудаки нахуй охуел охуеть пидор пидорас
        пизда пиздец пиздить похуй сука суки хуй хуйня хуёво ублюдок""",
}
